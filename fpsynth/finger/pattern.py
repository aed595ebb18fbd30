"""Where the cores and deltas of a pattern class lie on the fingertip.

A layout is drawn in master pixels (500 ppi, y down). Distances follow the spread of core-delta distances of real
fingers (ridge counts of 4 to 20 between core and delta at a 9 px period); a plain contact shows few of the deltas.
"""

from dataclasses import dataclass, replace

import numpy as np

from fpsynth.errors import UserError
from fpsynth.vocabulary import PATTERNS

CORE = (288.0, 300.0)
"""Where the upper core of an average finger lies on the 704 x 576 master."""


Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Layout:
    """Singular points (x, y) and the two strengths of the flow around them.

    tip      radians: how steeply ridges fall away to the sides of the fingertip
    arch     radians: the bump in the middle of an arch (0 for the other classes)
    tilt     radians: rotation of the whole flow
    swirl    radians: turn of the flow between two cores: 0 concentric, larger spirals and, at 50 degrees or so, the
             S of a double loop
    leg      radians: how far the legs of a loop are turned towards the finger's axis (positive: legs to the right)
    """

    cores: Points
    deltas: Points
    tip: float
    arch: float
    tilt: float
    swirl: float = 0.0
    leg: float = 0.0

    def mirrored(self, width: float) -> "Layout":
        """The same layout seen in a mirror."""
        flip = tuple((width - x, y) for x, y in self.cores), tuple((width - x, y) for x, y in self.deltas)
        return replace(self, cores=flip[0], deltas=flip[1], tilt=-self.tilt, swirl=-self.swirl, leg=-self.leg)


def draw_layout(rng: np.random.Generator, pattern: str, width: int) -> Layout:
    """Draw the singular points of one finger of this class. Raises UserError for an unknown class."""
    if pattern not in PATTERNS:
        raise UserError(f"unknown pattern class {pattern!r}; one of {', '.join(PATTERNS)}")
    core = (CORE[0] + rng.normal(0, 14), CORE[1] + rng.normal(0, 18))
    tip, tilt = float(np.clip(rng.normal(0.95, 0.1), 0.7, 1.15)), float(rng.normal(0, 0.04))
    if pattern == "arch":
        return Layout((), (), tip * 0.8, float(rng.uniform(0.35, 0.75)), tilt)
    draw = {"tented_arch": _tented, "whorl": _whorl, "double_loop": _double}.get(pattern, _right_loop)
    cores, deltas = draw(rng, core)
    swirl = {"whorl": rng.normal(0, 0.12), "double_loop": rng.uniform(0.75, 1.1)}.get(pattern, 0.0)
    leg = rng.uniform(0.35, 0.65) if draw is _right_loop else 0.0
    layout = Layout(cores, deltas, tip, 0.0, tilt, float(swirl), float(leg))
    mirror = pattern == "left_loop" or (pattern in ("whorl", "double_loop") and rng.random() < 0.5)
    return layout.mirrored(width) if mirror else layout


def _tented(rng: np.random.Generator, core: tuple[float, float]) -> tuple[Points, Points]:
    length = rng.uniform(45, 105)
    return (core,), ((core[0] + rng.normal(0, 5), core[1] + length),)


def _right_loop(rng: np.random.Generator, core: tuple[float, float]) -> tuple[Points, Points]:
    """Opens to the right: the delta lies below and to the left of the core."""
    length = float(np.clip(rng.normal(165, 32), 85, 240))
    angle = rng.uniform(0.5, 0.95)  # from straight down towards the left
    return (core,), ((core[0] - length * np.sin(angle), core[1] + length * np.cos(angle)),)


def _sides(rng: np.random.Generator, core: tuple[float, float], low: float) -> Points:
    """The two deltas of a whorl, left and right below the cores."""
    left = core[0] - rng.uniform(100, 160), low + rng.uniform(85, 165)
    right = core[0] + rng.uniform(100, 160), low + rng.uniform(85, 165)
    return left, right


def _whorl(rng: np.random.Generator, core: tuple[float, float]) -> tuple[Points, Points]:
    gap, lean = rng.uniform(14, 46), rng.normal(0, 0.25)
    lower = core[0] + gap * np.sin(lean), core[1] + gap * np.cos(lean)
    return (core, lower), _sides(rng, core, lower[1])


def _double(rng: np.random.Generator, core: tuple[float, float]) -> tuple[Points, Points]:
    gap, lean = rng.uniform(75, 120), rng.uniform(0.3, 0.9)
    upper = core[0] - gap * np.sin(lean) / 2, core[1] - gap * np.cos(lean) / 4
    lower = upper[0] + gap * np.sin(lean), upper[1] + gap * np.cos(lean)
    return (upper, lower), _sides(rng, (core[0], upper[1]), lower[1])
