"""Vectors of one kind alike, of two kinds not."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive(vectors: Tensor, kinds: Tensor, temperature: float) -> tuple[Tensor, float]:
    """The supervised contrastive loss (Khosla et al. 2020, equation 2, outside the logarithm) of unit vectors, and the
    share of them whose nearest other one is of the same kind.

    vectors: (B, D). kinds: (B,) whole numbers. A vector that is alone of its kind counts as 0.
    """
    alike = (vectors @ vectors.T / temperature).fill_diagonal_(-math.inf)
    same = (kinds[:, None] == kinds[None]).fill_diagonal_(False)
    logs = F.log_softmax(alike, dim=1).masked_fill(~same, 0)
    right = same[torch.arange(len(same)), alike.detach().argmax(1)].float().mean()
    return -(logs.sum(1) / same.sum(1).clamp_min(1)).mean(), float(right)
