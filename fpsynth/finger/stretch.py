"""From the grown canvas to the master: the same stretch moves ridges, orientation, period and singular points."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.finger.fields import one_by_one
from fpsynth.finger.pattern import Layout
from fpsynth.minutiae import SingularPoint


@dataclass(frozen=True)
class Waves:
    """Planes (..., H, W) of masters: the wave in [-1, 1], orientation in [0, pi), period in pixels."""

    wave: Tensor
    orientation: Tensor
    period: Tensor

    def only(self) -> "Waves":
        """Of a batch of one."""
        return Waves(self.wave[0], self.orientation[0], self.period[0])


def stretched(even: Tensor, odd: Tensor, orientation: Tensor, source: Tensor, grown: Tensor) -> Waves:
    """Carry grown patterns (half resolution) to the masters through `source` (B, H, W, 2), full-resolution pixels.

    grown: the period (master pixels) that the pattern was grown at.

    The wave is the cosine of the phase, even / sqrt(even^2 + odd^2); near a minutia, where the phase is undefined,
    it goes through zero smoothly.
    """
    normal = orientation + math.pi / 2
    # the odd part changes sign with the normal: only its square moves
    planes = torch.stack([even, even**2 + odd**2, torch.cos(2 * normal), torch.sin(2 * normal), grown], 1)
    even, power, cos2, sin2, period = _sampled(planes, source).unbind(1)
    power = power.clamp_min(0)
    wave = (even / torch.sqrt(power + 0.02 * one_by_one(torch.mean, power))).clamp(-1, 1)
    theta, period = _stretched_flow(torch.atan2(sin2, cos2) / 2, source, period)
    return Waves(wave, theta, period)


def _sampled(planes: Tensor, source: Tensor) -> Tensor:
    """(B, C, h, w) at half resolution sampled at full-resolution pixels (B, H, W, 2)."""
    height, width = source.shape[1:3]
    size = torch.tensor([width, height], dtype=source.dtype, device=source.device)
    grid = (source / 2) / (size / 2 - 1) * 2 - 1
    return F.grid_sample(planes, grid, mode="bicubic", padding_mode="border", align_corners=True)


def _stretched_flow(normal: Tensor, source: Tensor, grown: Tensor) -> tuple[Tensor, Tensor]:
    """The wave vector k = J^T k0 of the stretched pattern, J the Jacobian of `source`."""
    k0_x, k0_y = torch.cos(normal) / grown, -torch.sin(normal) / grown  # image axes: y down
    dx_dy, dx_dx = torch.gradient(source[..., 0], dim=(1, 2))
    dy_dy, dy_dx = torch.gradient(source[..., 1], dim=(1, 2))
    k_x, k_y = dx_dx * k0_x + dy_dx * k0_y, dx_dy * k0_x + dy_dy * k0_y
    theta = torch.remainder(torch.atan2(-k_y, k_x) - math.pi / 2, math.pi)
    return theta, 1 / torch.hypot(k_x, k_y)


def move_singular(layout: Layout, source: Tensor) -> tuple[SingularPoint, ...]:
    """Cores and deltas of the layout on the master: where `source` reads them from."""
    cores = [SingularPoint(*_moved(p, source), "core") for p in layout.cores]
    deltas = [SingularPoint(*_moved(p, source), "delta") for p in layout.deltas]
    return (*cores, *deltas)


def _moved(point: tuple[float, float], source: Tensor) -> tuple[float, float]:
    gap = (source[..., 0] - point[0]).square() + (source[..., 1] - point[1]).square()
    y, x = divmod(int(gap.argmin()), source.shape[1])
    return float(x), float(y)
