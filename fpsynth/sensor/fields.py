"""Random fields and filters on image planes (height, width) float32, shared by the sensors."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BROAD = 8
"""Broad filters work on means over this many pixels squared."""
BROAD_MOTTLE = 16
"""From this scale on, smooth noise is drawn on every fourth pixel of every fourth row and enlarged."""


def blur(plane: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of `sigma` pixels, edges repeated; nothing below a fifth of a pixel."""
    if sigma < 0.2:
        return plane
    reach = math.ceil(3 * sigma)
    at = torch.arange(-reach, reach + 1, dtype=plane.dtype, device=plane.device)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(plane[None, None], (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel[None, None, None, :]), kernel[None, None, :, None])[0, 0]


def broad_blur(plane: Tensor, sigma: float) -> Tensor:
    """Gaussian blur for sigmas of many pixels, computed on a coarser plane."""
    height, width = plane.shape
    coarse = F.avg_pool2d(plane[None, None], BROAD, ceil_mode=True)[0, 0]
    reach = min(math.ceil(3 * sigma / BROAD), min(coarse.shape) - 1)
    soft = blur(coarse, sigma / BROAD) if reach > 0 else coarse
    return resize(soft, height, width)


def resize(plane: Tensor, height: int, width: int, mode: str = "bilinear") -> Tensor:
    """The plane at another size."""
    return F.interpolate(plane[None, None], (height, width), mode=mode, align_corners=False)[0, 0]


def white(rng: np.random.Generator, like: Tensor) -> Tensor:
    """White normal noise of unit variance."""
    return torch.from_numpy(rng.standard_normal(tuple(like.shape), dtype=np.float32)).to(like.device)


def grain(rng: np.random.Generator, like: Tensor, sigma: float) -> Tensor:
    """Noise of unit variance, correlated over `sigma` pixels (a few)."""
    return blur(white(rng, like), sigma) * (2 * sigma * math.sqrt(math.pi))


def mottle(rng: np.random.Generator, like: Tensor, scale: float) -> Tensor:
    """Smooth noise of about unit variance, correlated over `scale` pixels (many)."""
    height, width = like.shape
    if scale >= BROAD_MOTTLE:
        return resize(mottle(rng, like[::4, ::4], scale / 4), height, width)
    rows, cols = math.ceil(height / scale) + 3, math.ceil(width / scale) + 3
    coarse = torch.from_numpy(rng.standard_normal((rows, cols), dtype=np.float32)).to(like.device)
    tall, broad = int(rows * scale), int(cols * scale)
    top, left = int(rng.integers(0, tall - height + 1)), int(rng.integers(0, broad - width + 1))
    field = resize(coarse, tall, broad, "bicubic")[top : top + height, left : left + width]
    return field / 0.72  # bicubic interpolation keeps about half the variance


def specks(rng: np.random.Generator, like: Tensor, count: int, sigma: float) -> Tensor:
    """Spots of `sigma` pixels at random places, about 1 high."""
    height, width = like.shape
    plane = torch.zeros(height, width)
    if count > 0:
        y, x = rng.integers(0, height, count), rng.integers(0, width, count)
        plane[torch.from_numpy(y), torch.from_numpy(x)] = torch.from_numpy(rng.gamma(2.0, 0.5, count)).float()
    return blur(plane.to(like.device), sigma) * (2 * math.pi * sigma**2)


def axes(like: Tensor) -> tuple[Tensor, Tensor]:
    """(y, x): each from -1 to 1 over the image, to be broadcast."""
    height, width = like.shape
    y = torch.linspace(-1, 1, height, device=like.device)[:, None]
    return y, torch.linspace(-1, 1, width, device=like.device)[None, :]


def vignette(rng: np.random.Generator, like: Tensor) -> Tensor:
    """0 near the image's middle, about 1 in its corners."""
    y, x = axes(like)
    cy, cx = rng.uniform(-0.25, 0.25, 2)
    return ((x - float(cx)) ** 2 + (y - float(cy)) ** 2) / 2


def line_noise(rng: np.random.Generator, count: int, like: Tensor, smooth: int) -> Tensor:
    """(count,) noise of unit variance: one value a line, correlated over `smooth` lines."""
    values = np.convolve(rng.standard_normal(count + smooth - 1), np.ones(smooth) / math.sqrt(smooth), "valid")
    return torch.from_numpy(values.astype(np.float32)).to(like.device)
