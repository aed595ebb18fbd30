"""The ridge-period field: ridges are grown at one period and the canvas is then stretched to the periods wanted.

The stretch is the gradient of a potential, x' = x - grad(phi), with laplacian(phi) = 2 log(period / mean): its local
scale is the period's, and the flow of the ridges stays as drawn. Means and spread after Cao & Jain and
Maltoni et al., Handbook of Fingerprint Recognition, ch. 3: about 9 px at 500 ppi, finer at the core, coarser below
the deltas and towards the crease.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.finger.fields import smooth_noise


@dataclass(frozen=True)
class Stretch:
    """base: the period (px) that the ridges are grown at; source (height, width, 2): the grown pixel (x, y) under
    each pixel of the master."""

    base: float
    source: Tensor


def draw_stretch(rng: np.random.Generator, height: int, width: int, core_y: float, step: int = 8) -> Stretch:
    """Draw a finger's periods. Computed every `step` master pixels and upsampled (the field is smooth)."""
    base = float(np.clip(rng.normal(8.9, 0.65), 7.4, 10.8))
    rows, cols = height // step, width // step
    y = (torch.arange(rows) * step)[:, None].float()
    below = float(rng.uniform(0.06, 0.22)) * torch.sigmoid((y - core_y - 130) / 45)
    above = float(rng.uniform(-0.04, 0.12)) * torch.sigmoid((core_y - 110 - y) / 40)
    log_scale = below + above + float(rng.uniform(0.04, 0.075)) * smooth_noise(rng, rows, cols, 90 / step)
    log_scale = 0.24 * torch.tanh((log_scale - log_scale.mean()) / 0.24)
    shift = _gradient_map(log_scale - log_scale.mean(), step)
    shift = F.interpolate(shift[None], (height, width), mode="bicubic", align_corners=False)[0]
    grid_y, grid_x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return Stretch(base, torch.stack([grid_x - shift[0], grid_y - shift[1]], -1).float())


def _gradient_map(log_scale: Tensor, step: int) -> Tensor:
    """(2, rows, cols) x and y displacement in pixels: grad(phi), solved with the cosine transform's even extension."""
    even = torch.cat([log_scale, log_scale.flip(0)], 0)
    even = torch.cat([even, even.flip(1)], 1)
    ky = 2 * torch.pi * torch.fft.fftfreq(even.shape[0])[:, None]
    kx = 2 * torch.pi * torch.fft.fftfreq(even.shape[1])[None, :]
    square = kx**2 + ky**2
    square[0, 0] = 1
    phi = -2 * torch.fft.fft2(even) / square
    phi[0, 0] = 0
    grad = [torch.fft.ifft2(1j * k * phi).real[: log_scale.shape[0], : log_scale.shape[1]] for k in (kx, ky)]
    return torch.stack(grad) * step
