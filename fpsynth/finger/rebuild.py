"""A finger from what is known of it: the minutiae of a template, or the ridges of a print. What is not known is grown.

The orientation is interpolated from what is known, and the period made such that it asks for the known minutiae and for
few others. Ridges then grow as every finger's do (fpsynth.finger.ridges), but from the known ones, which stay: a print
as it is, a minutia as a turn of the phase (fpsynth.finger.spirals). Where the growing ridges meet and do not agree,
they are taken away again a few times, and grow anew.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.finger.finger import HALF, MASTER_HEIGHT, MASTER_WIDTH, Finger, finished
from fpsynth.finger.interpolated import interpolated, orientation_of
from fpsynth.finger.orientation import smooth_flow
from fpsynth.finger.pattern import Layout
from fpsynth.finger.period import births, fanned
from fpsynth.finger.ridges import Filters, quadrature, saturated
from fpsynth.finger.singular import find_singular, pattern_of
from fpsynth.finger.spirals import Spirals, stray_turns
from fpsynth.finger.stretch import stretched
from fpsynth.minutiae import Minutia

USUAL = Layout((), (), 0.8, 0.3, 0.0)
"""An arch: what any fingertip's ridges are like near its outline and its crease."""
APART, FAITH = 32, 0.01
"""Master pixels between the points at which a usual fingertip's flow is looked at, and its weight there."""
ROUNDS = 32
SETTLED = 3
"""Rounds after which minutiae give in to the phase of the ridges around them."""
CLEARED = (9, 13, 17, 21, 25)
"""Rounds after which stray minutiae are taken away."""
CLEARING = 9.0
"""Samples around a stray minutia that grow anew."""
OWN = 5.0
"""Samples from a known minutia within which a turn of the phase is its own."""
FAINT = 0.02
"""Of the noise from which what is unknown grows."""
REACH = 60.0
"""Master pixels from something known within which cores and deltas are believed."""
MOST_POINTS = 300
"""About as many of a print's points are looked at for that: they lie closer than need be."""


@dataclass(frozen=True, kw_only=True)
class Directions:
    """points (n, 2) x, y in master pixels; angles (n,) radians; weights (n,)."""

    points: np.ndarray
    angles: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a finger, in master pixels (704 x 576 at 500 ppi, the tip at the top).

    minutiae    with their kinds
    period      mean ridge period, pixels
    directions  of ridges, where they are known at more points than the minutiae
    ridges      (352, 288) float32 in [-1, 1], the wave of a print at half resolution; and trust in it, [0, 1]; where
                there are none, the minutiae are laid on what grows
    """

    minutiae: tuple[Minutia, ...]
    period: float = 9.0
    directions: Directions | None = None
    ridges: Tensor | None = None
    trust: Tensor | None = None


def rebuild(known: Known, rng: np.random.Generator, position: int = 0) -> Finger:
    """The finger; the same generator state gives the same one. Its minutiae are those that are in it, not the known."""
    directions = known.directions or _directions(known.minutiae)
    field = _field(directions)
    theta = orientation_of(field, MASTER_HEIGHT // HALF, MASTER_WIDTH // HALF, HALF)
    born = known.period * births(known.minutiae, theta, HALF)
    period = known.period * torch.exp(fanned(theta, HALF, born))
    even = _grown(known, theta, period, rng)
    waves = stretched(even[None], quadrature(even, theta)[None], theta[None], _unmoved()[None], period[None])
    singular = find_singular(theta, HALF, _near(directions.points))
    pattern = pattern_of(singular, theta, HALF)
    return finished(rng, waves.only(), pattern, position, singular)


def _directions(minutiae: tuple[Minutia, ...]) -> Directions:
    points = np.array([(m.x, m.y) for m in minutiae])
    angles = np.radians([m.angle for m in minutiae])
    return Directions(points=points, angles=angles, weights=np.ones(len(minutiae)))


def _field(known: Directions) -> np.ndarray:
    """The known directions interpolated; far from them, where nothing else is said, those of an arch."""
    usual = smooth_flow(USUAL, MASTER_HEIGHT // APART, MASTER_WIDTH // APART, APART).numpy().ravel()
    y, x = (np.mgrid[: MASTER_HEIGHT // APART, : MASTER_WIDTH // APART] * APART).reshape(2, -1)
    points, angles = np.concatenate([known.points, np.stack([x, y], 1)]), np.concatenate([known.angles, usual])
    weights = np.concatenate([known.weights, np.full(len(usual), FAITH)])
    return interpolated(points, angles, weights, (MASTER_HEIGHT, MASTER_WIDTH))


def _grown(known: Known, theta: Tensor, period: Tensor, rng: np.random.Generator) -> Tensor:
    """(352, 288): the even response of ridges that grew from the known ones."""
    filters = Filters.along(theta[None], period[None] / HALF)
    spirals = Spirals(known.minutiae, theta, period, HALF)
    wave = FAINT * torch.from_numpy(rng.standard_normal(theta.shape).astype(np.float32))
    for done in range(ROUNDS):
        wave = _with(known, spirals, wave)
        response = filters(wave[None])[0]
        wave = saturated(response[None])[0]
        if done in CLEARED or (known.ridges is None and done >= SETTLED):
            odd = quadrature(response, theta)
            spirals.settle(response, odd)
            if done in CLEARED:
                wave = wave * _left_alone(known, stray_turns(response, odd, theta), wave)
    return filters(_with(known, spirals, wave)[None])[0]


def _with(known: Known, spirals: Spirals, wave: Tensor) -> Tensor:
    """The wave with what is known in it."""
    if known.ridges is None or known.trust is None:
        return spirals.laid_on(wave)
    return torch.lerp(wave, known.ridges, known.trust)


def _left_alone(known: Known, turns: Tensor, wave: Tensor) -> Tensor:
    """(H, W) in [0, 1]: 0 at turns of the phase that are not a known minutia's, 1 far from them."""
    own = torch.tensor([(m.y / HALF, m.x / HALF) for m in known.minutiae]).reshape(-1, 2)
    gaps = torch.cat([torch.cdist(turns.float() + 0.5, own), torch.full((len(turns), 1), torch.inf)], 1)
    strays = turns[gaps.amin(1) > OWN]
    y, x = torch.meshgrid(*(torch.arange(side) for side in wave.shape), indexing="ij")
    kept = torch.ones_like(wave)
    for row, column in strays.tolist():
        kept *= 1 - torch.exp(-((x - column) ** 2 + (y - row) ** 2) / CLEARING**2)
    return kept


def _unmoved() -> Tensor:
    y, x = torch.meshgrid(torch.arange(MASTER_HEIGHT), torch.arange(MASTER_WIDTH), indexing="ij")
    return torch.stack([x, y], -1).float()


def _near(points: np.ndarray) -> np.ndarray:
    """(352, 288) bool: what lies within REACH of one of the points."""
    y, x = np.mgrid[: MASTER_HEIGHT // HALF, : MASTER_WIDTH // HALF] * float(HALF)
    near = np.zeros(x.shape, bool)
    for px, py in points[:: max(len(points) // MOST_POINTS, 1)]:
        near |= (x - px) ** 2 + (y - py) ** 2 < REACH**2
    return near
