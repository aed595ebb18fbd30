"""Minutiae as what a growing ridge pattern is made to have: a turn of its phase around each.

Around a minutia the phase of the ridges grows by one turn more than that of plain ridges (Larkin & Fletcher, "A
coherent framework for fingerprint analysis: are fingerprints holograms?", Optics Express 2007): for an ending the phase
is 0 on the ridge that begins there and a half turn behind it, for a bifurcation the other way round.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fpsynth.minutiae import Minutia

RADIUS = 14.0
"""Master pixels around a minutia that follow it."""


@dataclass
class _Spiral:
    """One minutia: its window, the phase there, how far the window follows it, and the sign of its normal against the
    field's. turn: the phase by which the pattern around it had it otherwise, which it gives in to."""

    rows: slice
    cols: slice
    phase: Tensor
    weight: Tensor
    sign: Tensor
    turn: float = field(default=0.0)


class Spirals:
    """The minutiae of a pattern that grows on samples of `scale` master pixels."""

    def __init__(self, minutiae: Sequence[Minutia], orientation: Tensor, period: Tensor, scale: float) -> None:
        """orientation, period (H, W): of the pattern; period in master pixels."""
        self._spirals = [_spiral(m, orientation, period, scale) for m in minutiae]

    def settle(self, even: Tensor, odd: Tensor) -> None:
        """Turn each spiral's phase to that of the pattern around it (its wave and its quadrature)."""
        for s in self._spirals:
            a, b = even[s.rows, s.cols], s.sign * odd[s.rows, s.cols]
            cos, sin = torch.cos(s.phase), torch.sin(s.phase)
            along, across = (s.weight * (a * cos + b * sin)).sum(), (s.weight * (b * cos - a * sin)).sum()
            s.turn = math.atan2(float(across), float(along))

    def laid_on(self, wave: Tensor) -> Tensor:
        """The wave with the minutiae in it."""
        drawn, weight = torch.zeros_like(wave), torch.full_like(wave, 1e-6)
        for s in self._spirals:
            drawn[s.rows, s.cols] += s.weight * torch.cos(s.phase + s.turn)
            weight[s.rows, s.cols] += s.weight
        return torch.lerp(wave, drawn / weight, weight.clamp(max=1))


def _spiral(minutia: Minutia, orientation: Tensor, period: Tensor, scale: float) -> _Spiral:
    height, width = orientation.shape
    x, y, reach = minutia.x / scale, minutia.y / scale, 1.8 * RADIUS / scale
    rows = slice(max(int(y - reach), 0), min(int(y + reach) + 2, height))
    cols = slice(max(int(x - reach), 0), min(int(x + reach) + 2, width))
    heading = math.radians(minutia.angle)
    right = scale * torch.arange(cols.start, cols.stop)[None] - minutia.x
    up = minutia.y - scale * torch.arange(rows.start, rows.stop)[:, None]
    along = right * math.cos(heading) + up * math.sin(heading)
    across = up * math.cos(heading) - right * math.sin(heading)
    wide = float(period[min(int(y), height - 1), min(int(x), width - 1)])
    phase = 2 * math.pi * across / wide + torch.atan2(across, along) + (math.pi * (minutia.kind != "ending"))
    weight = torch.exp(-(((right**2 + up**2) / RADIUS**2) ** 2))
    return _Spiral(rows, cols, phase, weight, torch.sign(torch.cos(heading - orientation[rows, cols])))


def stray_turns(even: Tensor, odd: Tensor, orientation: Tensor) -> Tensor:
    """(n, 2) rows, columns of the samples around which the pattern's phase makes a turn: its minutiae."""
    total = torch.zeros_like(even)
    corners = [_phase_from(shift, even, odd, orientation) for shift in ((0, 0), (0, 1), (1, 1), (1, 0))]
    for a, b in zip(corners, (*corners[1:], corners[0]), strict=True):
        total += torch.remainder(b - a + math.pi, 2 * math.pi) - math.pi
    return torch.round(total / (2 * math.pi))[:-1, :-1].nonzero()


def _phase_from(shift: tuple[int, int], even: Tensor, odd: Tensor, orientation: Tensor) -> Tensor:
    """The phase of a neighbour, by the normal of the sample itself."""
    near = [torch.roll(plane, (-shift[0], -shift[1]), (0, 1)) for plane in (even, odd, orientation)]
    return torch.atan2(near[1] * torch.sign(torch.cos(near[2] - orientation)), near[0])
