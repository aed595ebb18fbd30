"""One identity: a whole fingertip's ridge pattern at 500 ppi, and what is exactly in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fpsynth.finger.by_hand import Drawing, class_of, engraved, layout_of
from fpsynth.finger.detail import draw_detail
from fpsynth.finger.orientation import orientation_field
from fpsynth.finger.pattern import CORE, Layout, Points, draw_layout
from fpsynth.finger.period import Stretch, draw_stretch, fanned
from fpsynth.finger.ridges import grow
from fpsynth.finger.skeleton import read_minutiae
from fpsynth.finger.stretch import Waves, move_singular, stretched
from fpsynth.minutiae import Minutia, SingularPoint

MASTER_HEIGHT = 704
MASTER_WIDTH = 576
MASTER_PPI = 500
FINGERTIP = "fingertip"
HALF = 2
"""Master pixels a sample while the ridges grow."""
ROUNDS = (6, 12)
"""Rounds of growth: more rounds heal more disagreements, so fewer minutiae stay."""


@dataclass(frozen=True, kw_only=True)
class Finger:
    """A fingertip, its tip at the top: the Master (see there) of a finger.

    ridges        (704, 576) float32 in [-1, 1]: smooth wave, +1 on a ridge crest, -1 in a valley
    detail        (704, 576) float32 in [-1.6, .6]: what belongs to the finger besides the wave, in the same unit and
                  to be added to it: pores, ridge edge roughness, creases and scars (negative), incipient ridges and
                  dots (positive). 0 where there is nothing.
    orientation   (704, 576) float32 radians in [0, pi): ridge direction, counter-clockwise from +x (y is down)
    period        (704, 576) float32: ridge period in pixels
    minutiae      master pixels, angles in degrees (see fpsynth.minutiae.Minutia)
    singular      cores and deltas, master pixels
    centre        (x, y) master pixels: the point of the finger that a person puts in the middle of a sensor
    """

    pattern: str
    position: int
    ridges: Tensor
    detail: Tensor
    orientation: Tensor
    period: Tensor
    minutiae: tuple[Minutia, ...]
    singular: tuple[SingularPoint, ...]
    centre: tuple[float, float]
    ppi: int = MASTER_PPI
    part: str = FINGERTIP


@dataclass(frozen=True)
class _Seedling:
    """What is drawn of a finger before its ridges grow; theta, noise and period (master pixels) at half resolution."""

    pattern: str
    layout: Layout
    stretch: Stretch
    theta: Tensor
    noise: Tensor
    period: Tensor
    rounds: int


def make_finger(
    rng: np.random.Generator, pattern: str, position: int = 0, device: torch.device | str = "cpu"
) -> Finger:
    """Grow the finger that this generator gives. The same generator state gives the same finger.

    Raises UserError for an unknown pattern class.
    """
    return make_fingers([rng], [pattern], [position], device)[0]


def make_fingers(
    rngs: Sequence[np.random.Generator],
    patterns: Sequence[str],
    positions: Sequence[int],
    device: torch.device | str = "cpu",
) -> list[Finger]:
    """Grow a batch of fingers together, each from its own generator: each is what make_finger makes of it.

    Ridges are grown at half resolution and at the periods that their flow asks for; stretching them to the finger's own
    also brings them to 500 ppi. Raises UserError for an unknown pattern class.
    """
    seedlings = [_draw_seedling(rng, pattern) for rng, pattern in zip(rngs, patterns, strict=True)]
    drawn = [(s.theta, s.noise, s.period, s.stretch.source) for s in seedlings]
    theta, noise, period, source = (torch.stack(planes).to(device) for planes in zip(*drawn, strict=True))
    even, odd = grow(noise, theta, period / HALF, [s.rounds for s in seedlings])
    grown = stretched(even, odd, theta, source, period)
    planes = grown.wave, grown.orientation, grown.period
    rows = zip(rngs, seedlings, positions, *planes, strict=True)
    return [_finished(rng, seedling, position, Waves(*planes)) for rng, seedling, position, *planes in rows]


def _before(stretch: Stretch, points: Points) -> Points:
    """Where points of the master lay before it was stretched."""
    at = [stretch.source[round(y), round(x)] for x, y in points]
    return tuple((float(x), float(y)) for x, y in at)


def _finished(rng: np.random.Generator, seedling: _Seedling, position: int, waves: Waves) -> Finger:
    singular = move_singular(seedling.layout, seedling.stretch.source)
    return finished(rng, waves, seedling.pattern, position, singular)


def draw_finger(rng: np.random.Generator, drawing: Drawing, pattern: str, position: int = 0) -> Finger:
    """The finger of this generator with what is drawn by hand; pattern: its class where the drawing does not say."""
    seedling = _draw_seedling(rng, class_of(drawing) or pattern, drawing)
    finger = _finished(rng, seedling, position, _ripened(seedling))
    return replace(finger, detail=engraved(finger.detail, drawing))


def _ripened(seedling: _Seedling) -> Waves:
    theta, period = seedling.theta[None], seedling.period[None]
    even, odd = grow(seedling.noise[None], theta, period / HALF, [seedling.rounds])
    return stretched(even, odd, theta, seedling.stretch.source[None], period).only()


def _draw_seedling(rng: np.random.Generator, pattern: str, drawing: Drawing | None = None) -> _Seedling:
    layout = draw_layout(rng, pattern, MASTER_WIDTH)
    stretch = draw_stretch(rng, MASTER_HEIGHT, MASTER_WIDTH, CORE[1])
    if drawing is not None and drawing.cores is not None:
        points = (_before(stretch, some) for some in (drawing.cores, drawing.deltas or ()))
        layout = layout_of(rng, pattern, *points)
    rows, cols = MASTER_HEIGHT // HALF, MASTER_WIDTH // HALF
    theta = orientation_field(rng, layout, rows, cols, HALF)
    noise = torch.from_numpy(rng.standard_normal((rows, cols)).astype(np.float32))
    period = stretch.base * torch.exp(fanned(theta, HALF))
    return _Seedling(pattern, layout, stretch, theta, noise, period, int(rng.integers(*ROUNDS)))


def finished(
    rng: np.random.Generator, waves: Waves, pattern: str, position: int, singular: tuple[SingularPoint, ...]
) -> Finger:
    """The finger of one grown pattern (planes (704, 576)): with its detail and minutiae."""
    minutiae = read_minutiae(waves.wave.cpu().numpy())
    return Finger(
        pattern=pattern,
        position=position,
        ridges=waves.wave,
        detail=draw_detail(rng, waves.wave),
        orientation=waves.orientation,
        period=waves.period,
        minutiae=minutiae,
        singular=singular,
        centre=finger_centre(singular),
    )


def finger_centre(singular: tuple[SingularPoint, ...]) -> tuple[float, float]:
    """The middle of the fingertip's pad: below the cores, which lie in the upper part of a plain print."""
    cores = [p for p in singular if p.kind == "core"]
    if not cores:
        return CORE[0], CORE[1] + 60
    return sum(p.x for p in cores) / len(cores), sum(p.y for p in cores) / len(cores) + 50
