"""A finger whose cores, deltas, scars and creases somebody has placed; all else is drawn as for any other."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.finger.detail import DEEPEST
from fpsynth.finger.pattern import Layout, Points
from fpsynth.finger.singular import class_of_points

Line = tuple[float, float, float, float]
SCAR, CREASE = (2.8, 1.3), (0.9, 1.1)
"""Half width (master pixels) and depth (in the ridge wave's unit) of a scar and of a crease."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """In master pixels (704 x 576 at 500 ppi, y down, the tip at the top): points x, y; lines x1, y1, x2, y2.

    cores, deltas  as many of each, at most two; None: drawn by the class
    """

    cores: Points | None = None
    deltas: Points | None = None
    scars: tuple[Line, ...] = ()
    creases: tuple[Line, ...] = ()


def class_of(drawing: Drawing) -> str | None:
    """The pattern class that its cores and deltas make; None where they are not said."""
    return None if drawing.cores is None else class_of_points(drawing.cores, drawing.deltas or ())


def layout_of(rng: np.random.Generator, pattern: str, cores: Points, deltas: Points) -> Layout:
    """With the strengths of the flow that the class has (see fpsynth.finger.pattern)."""
    tip, tilt = float(np.clip(rng.normal(0.95, 0.1), 0.7, 1.15)), float(rng.normal(0, 0.04))
    if not cores:
        return Layout((), (), tip * 0.8, float(rng.uniform(0.35, 0.75)), tilt)
    upper, lower = min(cores, key=lambda p: p[1]), max(cores, key=lambda p: p[1])
    swirl, side = 0.0, 1.0 if lower[0] >= upper[0] else -1.0
    if len(cores) == 2:
        swirl = side * float(rng.uniform(0.75, 1.1)) if pattern == "double_loop" else float(rng.normal(0, 0.12))
    leg = {"right_loop": 1.0, "left_loop": -1.0}.get(pattern, 0.0) * float(rng.uniform(0.35, 0.65))
    return Layout((upper, lower)[: len(cores)], deltas, tip, 0.0, tilt, swirl, leg)


def engraved(detail: Tensor, drawing: Drawing) -> Tensor:
    """The detail (H, W) with the scars and creases cut into it."""
    cut = torch.zeros_like(detail)
    for lines, (wide, deep) in ((drawing.scars, SCAR), (drawing.creases, CREASE)):
        for line in lines:
            gap = _distance(line, *detail.shape).to(detail)
            cut = torch.minimum(cut, -deep * torch.exp(-0.5 * (gap / wide) ** 2))
    return (detail + cut).clamp_min(DEEPEST)


def _distance(line: Line, height: int, width: int) -> Tensor:
    """(height, width): of each pixel from the line, with a little waver along it."""
    x1, y1, x2, y2 = line
    length = max(math.hypot(x2 - x1, y2 - y1), 1e-6)
    ax, ay = (x2 - x1) / length, (y2 - y1) / length
    y, x = torch.meshgrid(torch.arange(height) - y1, torch.arange(width) - x1, indexing="ij")
    along, across = x * ax + y * ay, y * ax - x * ay
    beyond = along - along.clamp(0, length)
    return torch.hypot(beyond, across + torch.sin(along / 11))
