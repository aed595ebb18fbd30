"""Contrast made even."""

import torch.nn.functional as F
from torch import Tensor

FAINT = 10.0
"""Grey levels: fainter contrast than this is not raised to the full."""
CLIP = 3.0
TINY = 1e-12
"""Less variance counts as this much: the square root has no slope at 0."""


def normalised(grey: Tensor, window: int) -> Tensor:
    """Grey levels (B, 1, H, W), ridges dark -> deviations from the mean of a square window (an odd number of pixels),
    dark positive, in units of the deviation there, within [-3, 3]; flat areas are 0."""
    mean = _boxed(grey, window)
    deviation = (_boxed(grey.square(), window) - mean.square()).clamp_min(TINY).sqrt()
    return ((mean - grey) / (deviation + FAINT)).clamp(-CLIP, CLIP)


def _boxed(x: Tensor, window: int) -> Tensor:
    padded = F.pad(x, (window // 2,) * 4, mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(padded, (window, 1), stride=1), (1, window), stride=1)
