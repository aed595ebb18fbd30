"""Prints with planted minutiae: each is a dislocation of a plane ridge wave, exact in place, direction and kind.

The ridge phase is 2 pi v / period + sum of s * atan2(y - yk, x - xk): a dislocation adds half a ridge on each side of
it, so one ridge (an ending) or one valley (a bifurcation) begins there.
"""

from collections.abc import Sequence

import numpy as np

from fpsynth.minutiae import Minutia

PERIOD = 9.0


def planted(minutiae: Sequence[Minutia], height: int = 400, width: int = 480, seed: int = 0) -> np.ndarray:
    """A grey print (height, width) uint8, horizontal ridges, with these minutiae; angles must be 0 or 180.

    The kind of a minutia is decided by the phase there, so use `kinds` to learn it.
    """
    phase = _phase(minutiae, height, width)
    noise = np.random.default_rng(seed).normal(0, 8, phase.shape)
    return np.clip(128 + 90 * np.cos(phase) + noise, 0, 255).astype(np.uint8)


def _phase(minutiae: Sequence[Minutia], height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    phase = 2 * np.pi * y / PERIOD
    for m in minutiae:
        sign = 1 if m.angle == 0 else -1
        phase = phase + sign * np.arctan2(y - m.y, x - m.x)
    return phase


def kinds(minutiae: Sequence[Minutia]) -> list[Minutia]:
    """The same minutiae with the kind that the wave gives them: dark just ahead of the point is a ridge that ends."""
    out = []
    for m in minutiae:
        ahead = 1e-6 if m.angle == 0 else -1e-6
        phase = 2 * np.pi * m.y / PERIOD
        for other in minutiae:
            sign = 1 if other.angle == 0 else -1
            phase += sign * np.arctan2(m.y - other.y, m.x + ahead - other.x)
        out.append(m._replace(kind="ending" if np.cos(phase) < 0 else "bifurcation"))
    return out


def grid(height: int = 400, width: int = 480, step: int = 80, margin: int = 70) -> list[Minutia]:
    """Minutiae on a grid, directions alternating so that the wave stays flat."""
    places = [(x, y) for y in range(margin, height - margin, step) for x in range(margin, width - margin, step)]
    return kinds([Minutia(float(x), float(y), 0.0 if i % 2 else 180.0, "ending") for i, (x, y) in enumerate(places)])
