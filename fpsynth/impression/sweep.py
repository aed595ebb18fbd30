"""What a sweep does to skin: strips matched to the pixel, and patches that stuck and slipped under the line of cells.

It is the capture that is displaced, before any sensor has seen it, so that a model is told of it by the control planes.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.draws import Draws
from fpsynth.impression.fields import grain, mottle

SWEPT = ("thermal",)
"""Sensors over which a finger is swept."""
SLIPS = 3.2
"""Most pixels at 500 ppi by which bits of skin are displaced where they slip."""
PATCH, RARE = 32.0, 1.2
"""Size in pixels at 500 ppi of patches that stick and slip; how rare they are, in deviations."""
BIT = 0.7
"""Size in pixels at 500 ppi of what is displaced as one."""
JITTER, RUN = (-0.4, 0.9), 0.12
"""Share of the strips that are a pixel off, from capture to capture (none below 0); strips a row."""


def swept(planes: Tensor, draws: Draws, ppi: int) -> Tensor:
    """Planes (K, H, W) of one capture as a sweep reads them: all of them displaced alike."""
    rng, unit = draws.chance, ppi / 500
    chance = Chance.of([rng], planes.device)
    moved = _slips(planes[:1], SLIPS * unit * rng.uniform(), unit, chance) + _jitter(planes, rng)
    height, width = planes.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    where = torch.stack([x, y], -1).to(planes.device) + moved
    span = torch.tensor([width - 1, height - 1], dtype=planes.dtype, device=planes.device)
    return F.grid_sample(planes[None], where * (2 / span) - 1, padding_mode="border", align_corners=True)[0]


def _slips(like: Tensor, pixels: float, unit: float, chance: Chance) -> Tensor:
    """(1, H, W, 2): in patches, bits displaced by about so many pixels, each its own way."""
    patches = torch.sigmoid((mottle(chance, like, PATCH * unit) - RARE) / 0.25)
    ways = [grain(chance, like, BIT * unit) for _ in range(2)]
    return torch.stack(ways, -1) * (pixels * patches)[..., None]


def _jitter(planes: Tensor, rng: np.random.Generator) -> Tensor:
    """(H, 1, 2): strips of a few rows, a pixel to the right."""
    height = planes.shape[1]
    strips = np.cumsum(rng.random(height) < RUN) % height
    off = (rng.random(height) < rng.uniform(*JITTER))[strips].astype(np.float32)
    return torch.from_numpy(np.stack([off, np.zeros_like(off)], -1)).to(planes.device)[:, None]
