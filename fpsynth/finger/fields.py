"""Smooth random fields and Fourier helpers shared by the stages of a finger."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def smooth_noise(rng: np.random.Generator, height: int, width: int, scale: float) -> Tensor:
    """(height, width) float32 of unit variance, about normal, correlated over `scale` samples (bicubic from a grid)."""
    rows, cols = int(height / scale) + 4, int(width / scale) + 4
    grid = torch.from_numpy(rng.standard_normal((1, 1, rows, cols)).astype(np.float32))
    shift_y, shift_x = rng.uniform(0, 1, 2)
    y = (torch.arange(height) / scale + 1 + shift_y) / (rows - 1) * 2 - 1
    x = (torch.arange(width) / scale + 1 + shift_x) / (cols - 1) * 2 - 1
    where = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None].float()
    field = F.grid_sample(grid, where, mode="bicubic", align_corners=True)[0, 0]
    return field / 0.72  # bicubic interpolation of white noise keeps .52 of its variance


def frequencies(height: int, width: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """(fx, fy) of torch.fft.rfft2's bins in cycles per sample; fy positive upwards (angles are counter-clockwise)."""
    fx = torch.fft.rfftfreq(width, device=device)
    fy = -torch.fft.fftfreq(height, device=device)
    return fx[None, :].expand(height, -1), fy[:, None].expand(-1, fx.numel())
