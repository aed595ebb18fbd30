"""Which part of the finger touches: the outline of the contact and its ragged edge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.impression.draws import Array, Draws, smooth_planes

REACH_MM = 4.0
"""Distances to the outline are cut off here."""
RIDGE_MM = 0.3
"""How much farther out a ridge crest touches than the mean skin does."""
RAGGED_MM = 0.16
SOFT_MM = 0.05
CREASE_MM = 12.2
"""From the pad's middle down to the flexion crease."""
PHALANX_MM = 2.2
"""Half height of what touches below the crease."""


@dataclass(frozen=True)
class Outline:
    """A super-ellipse |x/w|^n + |y/h|^n = 1 in finger millimetres, w growing along y by the egg's taper.

    window    half side of a small square sensor that cuts the contact, or infinity
    phalanx   half width of the contact below the flexion crease, or 0 where the finger is lifted there
    coverage  1: whole; less: fragments that cover about this share of the outline
    """

    half_width: float
    half_height: float
    taper: float
    power: tuple[float, float]
    window: float = float("inf")
    phalanx: float = 0.0
    coverage: float = 1.0

    def depth(self, points: Array) -> Array:
        """How far inside (+) or outside (-) the outline finger points (..., 2) lie: mm along rays from its middle."""
        x, y = points[..., 0], points[..., 1]
        along = np.clip(y / self.half_height, -1.3, 1.3)
        power = np.where(y < 0, self.power[0], self.power[1])
        across = np.abs(x) / (self.half_width * (1 + self.taper * along))
        level = (across**power + np.abs(y / self.half_height) ** power + 1e-9) ** (1 / power)
        depth = np.hypot(x, y) * (1 / level - 1)
        depth = np.minimum(np.where(level < 0.1, REACH_MM, depth), self.window - np.maximum(np.abs(x), np.abs(y)))
        return np.clip(depth, -REACH_MM, REACH_MM)


@dataclass(frozen=True)
class OutlineSpread:
    """Half sizes in mm at usual pressure for a finger of usual size, and the powers of the upper and lower half."""

    half_width: float
    half_height: float
    power: tuple[float, float]
    size_spread: float = 0.05


SPREADS = {
    "plain": OutlineSpread(6.4, 9.2, (2.2, 2.4), 0.07),
    "rolled": OutlineSpread(12.0, 12.2, (3.2, 5.0), 0.025),
    "partial": OutlineSpread(5.4, 6.4, (2.1, 2.2), 0.14),
    "slap": OutlineSpread(6.6, 10.6, (2.3, 4.0)),
    "latent": OutlineSpread(6.4, 9.0, (2.2, 2.4), 0.1),
}


def draw_outline(draws: Draws, acquisition: str, size: float, pressure: float) -> Outline:
    """Draw the outline of the contact. size: of the finger, 1 = usual; pressure: 0.5 = usual, more flattens more."""
    s = SPREADS[acquisition]
    scale = size * (1 + 0.45 * (pressure - 0.5))
    cut, shown, lower = draws.trait(), draws.trait(), draws.trait()
    return Outline(
        half_width=s.half_width * scale * (1 + draws.difference(s.size_spread, 2)),
        half_height=s.half_height * scale * (1 + draws.difference(1.3 * s.size_spread, 2)),
        taper=-0.03 + draws.difference(0.07, 2),
        power=(s.power[0], s.power[1] * float(np.exp(0.2 * np.clip(lower, -0.7, 2)))),
        window=5.8 + 0.6 * abs(cut) if acquisition == "partial" and cut > 0.3 else float("inf"),
        phalanx=6.2 * scale if shown > {"slap": -0.2, "plain": 1.3}.get(acquisition, np.inf) else 0.0,
        coverage=0.67 + draws.difference(0.1, 2) if acquisition == "latent" else 1.0,
    )


def depth_field(draws: Draws, outline: Outline, points: Array, crease_mm: float, step_mm: float) -> Array:
    """(rows, cols) mm inside the contact at finger points (rows, cols, 2): outline, its unevenness, gaps, phalanx.

    crease_mm: y of the flexion crease; step_mm: distance between the points.
    """
    depth = outline.depth(points)
    if outline.phalanx > 0:
        below = Outline(outline.phalanx, PHALANX_MM, 0.0, (2.6, 2.6))
        depth = np.maximum(depth, below.depth(points - (0, crease_mm + 0.8 + PHALANX_MM)))
    rows, cols = depth.shape
    uneven = 0.16 * draws.field(rows, cols, 5.0 / step_mm) + 0.11 * draws.field(rows, cols, 1.2 / step_mm)
    gaps = draws.field(rows, cols, 4.5 / step_mm)
    if outline.coverage < 1:
        depth = np.minimum(depth, 1.3 * (gaps + 3.0 * (outline.coverage - 0.5)))
    return depth + uneven


def touch(draws: Sequence[Draws], depth: Tensor, ridges: Tensor, pixel_mm: float) -> Tensor:
    """(B, H, W) contact in [0, 1]: inside the outline all of the skin, at its edge ridge crests alone, and in bits."""
    height, width = depth.shape[1:]
    grain = smooth_planes(draws, height, width, 0.25 / pixel_mm, depth.device)
    return torch.sigmoid((depth + RIDGE_MM * ridges + RAGGED_MM * grain) / SOFT_MM)
