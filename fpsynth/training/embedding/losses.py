"""Losses of the embedding, and what its network is to see of a wrong pose."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.embedding.network import CELL, CROP, DIRECTIONS, STEP


def seen_off(pose: Tensor, true: Tensor) -> Tensor:
    """What `corrected` needs to make the true pose of this one."""
    step = true[:, :2] - pose[:, :2]
    cos, sin = pose[:, 2].cos(), pose[:, 2].sin()
    frame = torch.stack([cos * step[:, 0] + sin * step[:, 1], cos * step[:, 1] - sin * step[:, 0]], 1)
    return torch.cat([frame, (true[:, 2:] - pose[:, 2:])], 1) / true.new_tensor(STEP)


def minutiae_map(minutiae: Tensor, pose: Tensor) -> Tensor:
    """(B, 6, 24, 20): 1 where a minutia of that direction lies in the cell, in the frame of the aligned print."""
    rows, cols = CROP[0] // CELL, CROP[1] // CELL
    offset = minutiae[:, :, :2] - pose[:, None, :2]
    cos, sin = pose[:, 2:].cos(), pose[:, 2:].sin()
    x = cos * offset[..., 0] + sin * offset[..., 1] + (CROP[1] - 1) / 2
    y = cos * offset[..., 1] - sin * offset[..., 0] + (CROP[0] - 1) / 2
    turn = torch.remainder(minutiae[:, :, 2] + pose[:, 2:], 2 * math.pi) / (2 * math.pi) * DIRECTIONS
    inside = (x >= 0) & (x < CROP[1]) & (y >= 0) & (y < CROP[0])  # False for NaN
    image = torch.arange(len(minutiae))[:, None].expand_as(x)[inside]
    cell = [plane[inside].long() for plane in (turn, y / CELL, x / CELL)]
    truth = torch.zeros(len(minutiae), DIRECTIONS, rows, cols)
    truth[image, cell[0] % DIRECTIONS, cell[1], cell[2]] = 1
    return truth


def map_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy in which the few cells with a minutia weigh more."""
    weight = torch.tensor(8.0, device=logits.device)
    return F.binary_cross_entropy_with_logits(logits, truth, pos_weight=weight)
