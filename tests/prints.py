"""Prints with planted minutiae: each is a dislocation of a plane ridge wave, exact in place, direction and kind.

The ridge phase is 2 pi v / period + sum of s * atan2(v - vk, u - uk): a dislocation adds half a ridge on each side of
it, so one ridge (an ending) or one valley (a bifurcation) begins there.
"""

from collections.abc import Sequence

import numpy as np

from fpsynth.minutiae import Minutia

PERIOD = 9.0


def planted(
    minutiae: Sequence[Minutia], height: int = 400, width: int = 480, seed: int = 0, turn: float = 0.0
) -> np.ndarray:
    """A grey print (height, width) uint8 whose ridges run at `turn` degrees, with these minutiae.

    Their angles must be turn or turn + 180. The kind of each is decided by the phase there: `kinds` tells it.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    noise = np.random.default_rng(seed).normal(0, 8, x.shape)
    return np.clip(128 + 90 * np.cos(_phase(minutiae, x, y, turn)) + noise, 0, 255).astype(np.uint8)


def _phase(minutiae: Sequence[Minutia], x: np.ndarray, y: np.ndarray, turn: float) -> np.ndarray:
    """The ridge phase at x, y; u runs along the ridges, v across, y up."""
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    phase = 2 * np.pi * (-x * sine - y * cosine) / PERIOD
    for m in minutiae:
        dx, dy = x - m.x, m.y - y
        sign = 1 if abs(m.angle - turn) < 1 else -1
        phase = phase + sign * np.arctan2(-dx * sine + dy * cosine, dx * cosine + dy * sine)
    return phase


def kinds(minutiae: Sequence[Minutia], turn: float = 0.0) -> list[Minutia]:
    """The same minutiae with the kind that the wave gives them: dark just ahead of the point is a ridge that ends."""
    out = []
    for m in minutiae:
        ahead = np.radians(m.angle)
        x, y = np.array(m.x + 1e-6 * np.cos(ahead)), np.array(m.y - 1e-6 * np.sin(ahead))
        dark = np.cos(_phase(minutiae, x, y, turn)) < 0
        out.append(m._replace(kind="ending" if dark else "bifurcation"))
    return out


def grid(height: int = 400, width: int = 480, step: int = 80, margin: int = 70) -> list[Minutia]:
    """Minutiae on a grid, directions alternating so that the wave stays flat."""
    places = [(x, y) for y in range(margin, height - margin, step) for x in range(margin, width - margin, step)]
    return kinds([Minutia(float(x), float(y), 0.0 if i % 2 else 180.0, "ending") for i, (x, y) in enumerate(places)])
