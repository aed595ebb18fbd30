"""Images as other devices would give them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.training.data import SIZE

ZOOM, GAIN, SHIFT, GAMMA = 0.12, 0.2, 0.12, 0.25
"""Most of each disturbance; grey levels run from -1 to 1."""
AWAY = 0.4
"""Most that a crop lies away from the middle, as a share of the room that it has."""


def placed(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """(B, C, side, side): a crop near the middle of each; every other one a little larger or smaller."""
    count = len(images)
    scale = 1 + ZOOM * _spread(generator, count) * (torch.rand(count, generator=generator) < 0.5)
    room = (SIZE - side * scale).clamp_min(0) / 2
    away = torch.stack([AWAY * room * _spread(generator, count) for _ in range(2)], 1).round()
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = side * scale / SIZE
    theta[:, :, 2] = away * 2 / SIZE
    grid = F.affine_grid(theta, [count, images.shape[1], side, side], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def recoloured(images: Tensor, generator: torch.Generator) -> Tensor:
    """Other gain, offset and gamma, and of every fourth image less sharpness."""
    gain, shift, gamma = (most * _spread(generator, len(images))[:, None, None, None] for most in (GAIN, SHIFT, GAMMA))
    light = ((images + 1) / 2).clamp(1e-3, 1) ** (1 + gamma) * 2 - 1
    out = light * (1 + gain) + shift
    amount = (torch.rand(len(images), 1, 1, 1, generator=generator) * 4 - 3).clamp_min(0)
    return torch.lerp(out, F.avg_pool2d(F.pad(out, (1,) * 4, mode="replicate"), 3, 1), amount).clamp(-1, 1)


def _spread(generator: torch.Generator, count: int) -> Tensor:
    """(B,) in [-1, 1]."""
    return torch.rand(count, generator=generator) * 2 - 1
