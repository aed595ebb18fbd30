"""Cores, deltas and the pattern class, read off an orientation field.

The Poincare index (Kawagoe & Tojo, "Fingerprint pattern classification", Pattern Recognition 1984) of every square of
four neighbours: an orientation turns by +180 degrees around a core and by -180 around a delta. Classes by number and
place of the cores and deltas (Karu & Jain, "Fingerprint classification", Pattern Recognition 1996).
"""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from fpsynth.minutiae import SingularPoint
from fpsynth.minutiae.minutia import SingularKind

PAIR = 24.0
"""Master pixels: a core and a delta nearer to each other than this are a ripple of the field and no pattern."""
WHORL = 60.0
"""Master pixels between its cores: farther apart they are those of a double loop."""
BELOW = (30.0, 50.0, 70.0)
"""Master pixels under a core at which the legs of its loop are looked at."""
UPRIGHT = 0.3
"""Of the sine of the angle from straight below the core to the delta: less is a tented arch."""


def find_singular(orientation: Tensor, scale: float, where: np.ndarray) -> tuple[SingularPoint, ...]:
    """Cores and deltas of orientation (H, W) radians, a sample being `scale` pixels, in pixels, from the top down.

    where: (H, W) bool, the part that can be relied on.
    """
    angle = 2 * orientation.double().cpu().numpy()
    ring = (angle[:-1, :-1], angle[1:, :-1], angle[1:, 1:], angle[:-1, 1:])
    turn = sum(_wrapped(b - a) for a, b in zip(ring, (*ring[1:], ring[0]), strict=True))
    index = np.rint(np.asarray(turn) / (2 * math.pi)) * where[:-1, :-1]
    kinds: tuple[tuple[SingularKind, float], ...] = (("core", 1.0), ("delta", -1.0))
    found = [(float(x), float(y), kind) for kind, sign in kinds for y, x in np.argwhere(index == sign) + 0.5]
    points = [SingularPoint(x * scale, y * scale, kind) for x, y, kind in found]
    return tuple(sorted(_without_ripples(points), key=lambda p: (p.kind, p.y, p.x)))


def _wrapped(angle: np.ndarray) -> np.ndarray:
    turned: np.ndarray = (angle + math.pi) % (2 * math.pi) - math.pi
    return turned


def _without_ripples(points: list[SingularPoint]) -> list[SingularPoint]:
    """Less every core and delta that are nearest to each other and near."""
    while True:
        pairs = [(math.dist(a[:2], b[:2]), a, b) for a in points for b in points if a.kind < b.kind]
        gap, a, b = min(pairs, default=(math.inf, None, None), key=lambda pair: pair[0])
        if gap > PAIR:
            return points
        points = [p for p in points if p not in (a, b)]


def pattern_of(singular: tuple[SingularPoint, ...], orientation: Tensor, scale: float) -> str:
    """The pattern class by cores and deltas. A core without a delta is a loop's, since a tented arch's is near; it
    opens to the side to which the legs under it lean."""
    cores = [(p.x, p.y) for p in singular if p.kind == "core"]
    deltas = [(p.x, p.y) for p in singular if p.kind == "delta"]
    if len(cores) == 1 and not deltas:
        return "right_loop" if _legs(cores[0], orientation, scale) > 0 else "left_loop"
    return class_of_points(cores, deltas)


def class_of_points(cores: Sequence[tuple[float, float]], deltas: Sequence[tuple[float, float]]) -> str:
    """The pattern class of cores and deltas (x, y) in master pixels; one core has one delta or more."""
    if not cores:
        return "arch"
    if len(cores) > 1:
        return "whorl" if math.dist(cores[0], cores[1]) < WHORL else "double_loop"
    core, delta = cores[0], min(deltas, key=lambda p: math.dist(p, cores[0]))
    side = (core[0] - delta[0]) / max(math.dist(core, delta), 1e-6)
    return "tented_arch" if abs(side) < UPRIGHT else "right_loop" if side > 0 else "left_loop"


def _legs(core: tuple[float, float], orientation: Tensor, scale: float) -> float:
    """Which way the legs below a core lean: positive to the right on their way down."""
    column = min(int(core[0] / scale), orientation.shape[1] - 1)
    rows = [min(int((core[1] + step) / scale), orientation.shape[0] - 1) for step in BELOW]
    return -float(np.mean([math.sin(2 * float(orientation[row, column])) for row in rows]))
