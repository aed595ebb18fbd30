"""Smooth random fields and Fourier helpers, shared by fingers, captures and sensors."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, scale: float, device: torch.device | str = "cpu"
) -> Tensor:
    """(height, width) float32 of unit variance, about normal, correlated over `scale` samples (bicubic from a grid)."""
    rows, cols = int(height / scale) + 4, int(width / scale) + 4
    grid = torch.from_numpy(rng.standard_normal((1, 1, rows, cols)).astype(np.float32)).to(device)
    shift_y, shift_x = rng.uniform(0, 1, 2)
    y = (torch.arange(height, device=device) / scale + 1 + shift_y) / (rows - 1) * 2 - 1
    x = (torch.arange(width, device=device) / scale + 1 + shift_x) / (cols - 1) * 2 - 1
    where = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None].float()
    field = F.grid_sample(grid, where, mode="bicubic", align_corners=True)[0, 0]
    return field / 0.72  # bicubic interpolation of white noise keeps .52 of its variance


def enlarged(coarse: Tensor, scale: float, corners: Sequence[tuple[int, int]], height: int, width: int) -> Tensor:
    """Windows (B, height, width) of grids (B, rows, cols) that are enlarged `scale` times, cubically, edges repeated.

    corners: (top, left) of each window in the enlarged grid. Separable, so it is a matrix product on each side.
    """
    padded = F.pad(coarse[:, None], (2, 2, 2, 2), mode="replicate")[:, 0]
    top, left = torch.tensor(corners, dtype=torch.float32, device=coarse.device).T
    down = _cubic_weights(top, height, padded.shape[1], scale)
    return down @ padded @ _cubic_weights(left, width, padded.shape[2], scale).transpose(1, 2)


def _cubic_weights(first: Tensor, count: int, samples: int, scale: float) -> Tensor:
    """(B, count, samples): Keys' cubic kernel (a = -0.75, as torch and OpenCV have it); two samples pad either end."""
    at = (first[:, None] + torch.arange(count, device=first.device) + 0.5) / scale + 1.5
    gap = (at[:, :, None] - torch.arange(samples, device=first.device)).abs()
    near = (1.25 * gap - 2.25) * gap**2 + 1
    far = -0.75 * (((gap - 5) * gap + 8) * gap - 4)
    return torch.where(gap < 1, near, torch.where(gap < 2, far, 0.0))


def column(values: Sequence[float], device: torch.device | str) -> Tensor:
    """(B, 1, 1) float32: one number for each image of a batch, to be broadcast over planes (B, H, W)."""
    return torch.tensor(values, dtype=torch.float32, device=device)[:, None, None]


def one_by_one(reduction: Callable[[Tensor], Tensor], planes: Tensor) -> Tensor:
    """(B, 1, 1): a reduction of each plane (H, W). On its own, so that threads add it up alike alone and in a batch."""
    return torch.stack([reduction(plane) for plane in planes])[:, None, None]


def frequencies(height: int, width: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """(fx, fy) of torch.fft.rfft2's bins in cycles per sample; fy positive upwards (angles are counter-clockwise)."""
    fx = torch.fft.rfftfreq(width, device=device)
    fy = -torch.fft.fftfreq(height, device=device)
    return fx[None, :].expand(height, -1), fy[:, None].expand(-1, fx.numel())
