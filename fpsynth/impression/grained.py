"""Noise that follows the ridges: long or short along their flow, narrow or wide across it.

White noise is filtered by stretched Gaussians at BEARINGS bearings; every place takes the two nearest to its own flow.
All of it at half the image's resolution: what follows ridges is no finer than a few pixels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.finger.fields import frequencies
from fpsynth.impression.chance import Chance
from fpsynth.impression.fields import blur, resize

BEARINGS = 8
HALF = 2
CELL = 4
"""Half-resolution samples a side over which the flow is averaged."""


def flow(ridges: Tensor) -> Tensor:
    """(B, BEARINGS, H/2, W/2): how near the flow of ridges (B, H, W) is to each bearing; two are above 0, the sum is 1.

    The flow is the doubled angle of the averaged structure tensor (Kass & Witkin, "Analyzing oriented patterns", 1987).
    """
    small = F.avg_pool2d(ridges, HALF, ceil_mode=True)
    down, across = torch.gradient(small, dim=(1, 2))
    cos2, sin2 = (_averaged(part, small) for part in (down**2 - across**2, 2 * across * down))
    place = torch.atan2(sin2, cos2) * (BEARINGS / (2 * math.pi))
    bearings = torch.arange(BEARINGS, device=ridges.device, dtype=ridges.dtype)[:, None, None]
    gap = torch.remainder(place[:, None] - bearings, BEARINGS)
    return (1 - torch.minimum(gap, BEARINGS - gap)).clamp_min(0)


def _averaged(part: Tensor, like: Tensor) -> Tensor:
    return resize(blur(F.avg_pool2d(part, CELL, ceil_mode=True), 1.0), *like.shape[1:])


def grained(chance: Chance, near: Tensor, like: Tensor, along: float, across: float) -> Tensor:
    """Noise of about unit variance (B, height, width), correlated over `along` pixels along the flow and `across`
    pixels across it. near: of flow()."""
    rows, cols = near.shape[2:]
    noise = chance.normal(rows, cols)
    stretched = torch.fft.irfft2(torch.fft.rfft2(noise)[:, None] * _bank(near, along, across), s=(rows, cols))
    return resize((stretched * near).sum(1), *like.shape[1:])


def _bank(near: Tensor, along: float, across: float) -> Tensor:
    """(BEARINGS, rows, cols/2+1): Gaussians of these widths in image pixels, each keeping unit variance."""
    fx, fy = frequencies(near.shape[2], near.shape[3], near.device)
    bearing = torch.arange(BEARINGS, device=near.device)[:, None, None] * (math.pi / BEARINGS)
    u, v = fx * torch.cos(bearing) + fy * torch.sin(bearing), fy * torch.cos(bearing) - fx * torch.sin(bearing)
    wide, tall = along / HALF, across / HALF
    gain = 2 * math.sqrt(math.pi * wide * tall)
    bank: Tensor = gain * torch.exp(-2 * math.pi**2 * ((wide * u) ** 2 + (tall * v) ** 2))
    return bank
