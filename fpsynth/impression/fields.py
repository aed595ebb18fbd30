"""Random fields and filters on batches of image planes (B, height, width) float32, shared by captures and sensors."""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fpsynth.finger.fields import enlarged
from fpsynth.impression.chance import Chance

BROAD = 8
"""Broad filters work on means over this many pixels squared."""
BROAD_MOTTLE = 16
"""From this scale on, smooth noise is drawn on every fourth pixel of every fourth row and enlarged."""


def blur(planes: Tensor, sigma: float | Sequence[float]) -> Tensor:
    """Gaussian blur of `sigma` pixels, one for all planes or one a plane; edges repeated.

    A sum of shifted planes: on one core faster than a convolution, and the same for a plane alone as in a batch.
    """
    kernels = _kernels([sigma] * len(planes) if isinstance(sigma, int | float) else sigma)
    taps = torch.from_numpy(kernels).to(planes.device)[:, :, None, None]
    reach = len(kernels) // 2
    padded = F.pad(planes[None], (reach, reach, reach, reach), mode="replicate")[0]
    return _weighed(_weighed(padded, taps, 2), taps, 1)


def _weighed(planes: Tensor, taps: Tensor, dim: int) -> Tensor:
    """The sum of the planes shifted along `dim` by 0, 1, ..., each times its taps (n, B, 1, 1)."""
    size = planes.shape[dim] - len(taps) + 1
    out = planes.narrow(dim, 0, size) * taps[0]
    for shift in range(1, len(taps)):
        out.addcmul_(planes.narrow(dim, shift, size), taps[shift])
    return out


def _kernels(sigmas: Sequence[float]) -> NDArray[np.float32]:
    """(n, B): Gaussians over three sigmas either way, of unit sum, with zeros around the narrower ones."""
    reaches = [math.ceil(3 * sigma) for sigma in sigmas]
    out = np.zeros((2 * max(reaches) + 1, len(sigmas)), np.float32)
    for i, (sigma, reach) in enumerate(zip(sigmas, reaches, strict=True)):
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        out[max(reaches) - reach : max(reaches) + reach + 1, i] = kernel / kernel.sum()
    return out


def broad_blur(planes: Tensor, sigma: float) -> Tensor:
    """Gaussian blur for sigmas of many pixels, computed on coarser planes."""
    height, width = planes.shape[1:]
    return resize(blur(F.avg_pool2d(planes, BROAD, ceil_mode=True), sigma / BROAD), height, width)


def resize(planes: Tensor, height: int, width: int) -> Tensor:
    """The planes at another size."""
    return F.interpolate(planes[:, None], (height, width), mode="bilinear", align_corners=False)[:, 0]


def white(chance: Chance, like: Tensor) -> Tensor:
    """White normal noise of unit variance."""
    return chance.normal(*like.shape[1:])


def grain(chance: Chance, like: Tensor, sigma: float) -> Tensor:
    """Noise of unit variance, correlated over `sigma` pixels (a few)."""
    return blur(white(chance, like), sigma) * (2 * sigma * math.sqrt(math.pi))


def mottle(chance: Chance, like: Tensor, scale: float) -> Tensor:
    """Smooth noise of about unit variance, correlated over `scale` pixels (many)."""
    height, width = like.shape[1:]
    if scale >= BROAD_MOTTLE:
        return resize(mottle(chance, like[:, ::4, ::4], scale / 4), height, width)
    rows, cols = math.ceil(height / scale) + 3, math.ceil(width / scale) + 3
    spare = int(rows * scale) - height + 1, int(cols * scale) - width + 1
    corners = [(int(rng.integers(spare[0])), int(rng.integers(spare[1]))) for rng in chance]
    field = enlarged(chance.normal(rows, cols), scale, corners, height, width)
    return field / 0.72  # cubic interpolation keeps about half the variance


def specks(chance: Chance, like: Tensor, counts: Sequence[int], sigma: float) -> Tensor:
    """Spots of `sigma` pixels at random places, about 1 high; `counts` of them in each image."""
    height, width = like.shape[1:]
    planes = np.zeros(like.shape, np.float32)
    for plane, rng, count in zip(planes, chance, counts, strict=True):
        y, x = rng.integers(0, height, count), rng.integers(0, width, count)
        plane[y, x] = rng.gamma(2.0, 0.5, count)  # of two in one place the last, which torch's threads do not promise
    return blur(torch.from_numpy(planes).to(like.device), sigma) * (2 * math.pi * sigma**2)


def axes(like: Tensor) -> tuple[Tensor, Tensor]:
    """(y, x): each from -1 to 1 over the image, to be broadcast."""
    height, width = like.shape[1:]
    y = torch.linspace(-1, 1, height, device=like.device)[:, None]
    return y, torch.linspace(-1, 1, width, device=like.device)[None, :]


def vignette(chance: Chance, like: Tensor) -> Tensor:
    """0 near the image's middle, about 1 in its corners."""
    y, x = axes(like)
    cy, cx = chance.uniform(-0.25, 0.25), chance.uniform(-0.25, 0.25)
    return ((x - cx) ** 2 + (y - cy) ** 2) / 2


def line_noise(chance: Chance, count: int, smooth: int) -> Tensor:
    """(B, count) noise of unit variance: one value a line, correlated over `smooth` lines."""
    return chance.normal(count + smooth - 1).unfold(1, smooth, 1).sum(2) / math.sqrt(smooth)
