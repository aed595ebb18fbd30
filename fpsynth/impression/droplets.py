"""Droplets of sweat left on a surface beside the contact, and between the ridges where the load is high.

Where a sensor's cells answer to whatever conducts, they are dark as skin is. They are of the capture, not the sensor,
so that a model is told of them by the control planes: what is sparse and random it draws only where it is shown it.
"""

import math

import numpy as np
import torch
from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.draws import Draws
from fpsynth.impression.fields import blur, broad_blur, mottle

SHOWN = ("capacitive",)
"""Sensors that see droplets."""
DENSITY = (0.004, 0.07)
"""Droplets a pixel at 500 ppi where they are densest, from capture to capture (in the logarithm)."""
SIZES = ((0.45, 0.8), (0.8, 0.2))
"""Sizes of droplets in pixels at 500 ppi, each with its share of the number."""
HALO, PATCH = 34.0, 40.0
"""Pixels at 500 ppi over which droplets thin out around the contact; size of patches with more of them and fewer."""
HEIGHT = 2.5
"""Of a usual droplet: above 1 its middle is full."""


def droplets(contact: Tensor, load: Tensor, draws: Draws, ppi: int) -> Tensor:
    """(H, W) in [0, 1], of one capture with this contact and load (H, W)."""
    rng, unit = draws.chance, ppi / 500
    touched, chance = contact[None], Chance.of([rng], contact.device)
    halo = broad_blur(touched, HALO * unit) * (1 - touched)
    often = (2.2 * halo).clamp(0, 1) ** 2 + touched * (0.1 + 0.5 * load).clamp(0, 0.4)
    often = often * (0.6 + 0.6 * mottle(chance, touched, PATCH * unit)).clamp(0, 1.3)
    least, most = DENSITY
    density = least * (most / least) ** rng.uniform() / unit**2
    strewn = [_strewn(density * share * often[0], size * unit, rng) for size, share in SIZES]
    return torch.stack(strewn).sum(0).clamp(0, 1)


def _strewn(density: Tensor, size: float, rng: np.random.Generator) -> Tensor:
    """Spots of `size` pixels, as many in each pixel as its density (H, W) says in the mean."""
    there = rng.random(density.shape, np.float32) < density.cpu().numpy()
    heights = np.zeros(there.shape, np.float32)
    heights[there] = HEIGHT * rng.gamma(2.0, 0.5, int(there.sum()))
    return blur(torch.from_numpy(heights).to(density.device)[None], size)[0] * (2 * math.pi * size**2)
