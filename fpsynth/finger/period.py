"""The ridge-period field, in two parts: what the flow asks for, and what the finger adds.

Ridges that fan out either widen or make room for new ones: per area, (div t - t grad(log period)) / period of them end,
t being the unit vector along the ridges. Ridges are grown at the period that leaves the fewest, softly.

The canvas is then stretched to the finger's own periods.
The stretch is the gradient of a potential, x' = x - grad(phi), with laplacian(phi) = 2 log(period / mean): its local
scale is the period's, and the flow of the ridges stays as drawn. Means and spread after Cao & Jain and
Maltoni et al., Handbook of Fingerprint Recognition, ch. 3: about 9 px at 500 ppi, finer at the core, coarser below
the deltas and towards the crease.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.finger.fields import smooth_noise
from fpsynth.minutiae import Minutia

GRID = 32
"""Master pixels between the points at which the fanned period is solved."""
STIFF, LEVEL = 0.8, 1e-5
"""Weights of a smooth and of a level period (per square pixel) against one that follows the flow."""
MOST_FANNED = 0.25
SPREAD = 24.0
"""Master pixels over which a minutia makes room for its ridge."""


@dataclass(frozen=True)
class Stretch:
    """base: the period (px) that the ridges are grown at; source (height, width, 2): the grown pixel (x, y) under
    each pixel of the master."""

    base: float
    source: Tensor


def draw_stretch(rng: np.random.Generator, height: int, width: int, core_y: float, step: int = 8) -> Stretch:
    """Draw a finger's periods. Computed every `step` master pixels and upsampled (the field is smooth)."""
    base = float(np.clip(rng.normal(8.6, 0.65), 7.2, 10.6))
    rows, cols = height // step, width // step
    y = (torch.arange(rows) * step)[:, None].float()
    below = float(rng.uniform(0.0, 0.12)) * torch.sigmoid((y - core_y - 130) / 45)
    above = float(rng.uniform(-0.06, 0.06)) * torch.sigmoid((core_y - 110 - y) / 40)
    log_scale = below + above + float(rng.uniform(0.03, 0.05)) * smooth_noise(rng, rows, cols, 90 / step)
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


def fanned(orientation: Tensor, scale: int, born: Tensor | None = None) -> Tensor:
    """(H, W) log of the period that lets ridges fan out, about 0 on average; `scale` master pixels a sample.

    born (h, w), one value every GRID master pixels: ridges that begin less those that end along t, per pixel and ridge,
    where that is known.
    """
    theta = orientation[:: GRID // scale, :: GRID // scale].double().cpu()
    across, down = _derivatives(*theta.shape)
    t = theta.flatten()
    along = torch.cos(t)[:, None] * across - torch.sin(t)[:, None] * down
    square = along.T @ along + STIFF * (across.T @ across + down.T @ down) + LEVEL * torch.eye(len(t))
    asked = _divergence(t, across, down) - (0 if born is None else born.double().flatten())
    log_period = torch.linalg.solve(square, along.T @ asked).reshape(theta.shape)
    log_period = MOST_FANNED * torch.tanh((log_period - log_period.mean()) / MOST_FANNED)
    full = F.interpolate(log_period[None, None], orientation.shape, mode="bicubic", align_corners=False)[0, 0]
    return full.to(orientation)


def births(minutiae: Sequence[Minutia], orientation: Tensor, scale: int) -> Tensor:
    """Ridges per square pixel that begin at these minutiae less those that end, along t: (h, w), every GRID pixels."""
    theta = orientation[:: GRID // scale, :: GRID // scale].double()
    y, x = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) * GRID for side in theta.shape), indexing="ij")
    total = torch.zeros_like(theta)
    for m in minutiae:
        near = torch.exp(-((x - m.x) ** 2 + (y - m.y) ** 2) / (2 * SPREAD**2)) / (2 * torch.pi * SPREAD**2)
        total += near * torch.sign(torch.cos(math.radians(m.angle) - theta))
    return total


def _derivatives(rows: int, cols: int) -> tuple[Tensor, Tensor]:
    """Matrices (n, n) that take the x and the y derivative per pixel of a flattened grid of GRID pixels."""
    basis = torch.eye(rows * cols, dtype=torch.float64).reshape(-1, rows, cols)
    down, across = torch.gradient(basis, spacing=float(GRID), dim=(1, 2))
    return across.flatten(1).T, down.flatten(1).T


def _divergence(theta: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Of the unit vector (cos, -sin) along the ridges (y is down), by derivatives of the doubled angle."""
    cos2, sin2 = torch.cos(2 * theta), torch.sin(2 * theta)
    turn_x, turn_y = ((cos2 * (d @ sin2) - sin2 * (d @ cos2)) / 2 for d in (across, down))
    return -torch.sin(theta) * turn_x - torch.cos(theta) * turn_y
