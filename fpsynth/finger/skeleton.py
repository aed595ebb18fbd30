"""Minutiae read from a clean ridge pattern: thinning, crossing number, and the direction traced along the skeleton.

Crossing number after Rutovitz (1966) and Handbook of Fingerprint Recognition, 3.7; directions in the sense of
ISO/IEC 19794-2:2005 (see fpsynth.minutiae.minutia).
"""

import math
from collections.abc import Callable

import numpy as np
from skimage.morphology import skeletonize

from fpsynth.minutiae import Minutia

TRACE = 12
"""Skeleton pixels followed to find a direction: a little more than a ridge period."""

PIECE = 18.0, 4.0
"""Length and width (pixels) of the strip in which the two ends of a short ridge or of a lake face each other."""

MARGIN = 14
"""Ridges that the canvas cuts off end at its border; nothing is read so near to it."""

NEIGHBOURS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def read_minutiae(ridges: np.ndarray, spacing: float = 7.0) -> tuple[Minutia, ...]:
    """Minutiae of a (H, W) ridge wave, positive on ridges. Of points nearer than `spacing` px to each other none is
    kept, nor are the two ends of a short ridge or lake (islands, spurs and pinholes are texture, not minutiae)."""
    thin: Callable[[np.ndarray], np.ndarray] = skeletonize
    bones = thin(ridges > 0)
    endings, forks = crossing_points(bones)
    found = [m for y, x in endings if (m := _ending(bones, int(y), int(x)))]
    found += [m for y, x in forks if (m := _fork(bones, int(y), int(x)))]
    return _spaced(found, spacing)


def crossing_points(bones: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) rows (y, x) of skeleton ends (crossing number 1) and forks (3), off the border."""
    ring = np.stack([np.roll(bones, (-dy, -dx), (0, 1)) for dy, dx in NEIGHBOURS]).astype(np.int8)
    crossing = np.abs(ring - np.roll(ring, 1, 0)).sum(0) // 2
    inside = np.zeros_like(bones)
    inside[MARGIN:-MARGIN, MARGIN:-MARGIN] = True
    return np.argwhere(bones & inside & (crossing == 1)), np.argwhere(bones & inside & (crossing == 3))


def _ending(bones: np.ndarray, y: int, x: int) -> Minutia | None:
    paths = _branches(bones, y, x)
    if len(paths) != 1 or len(paths[0]) < TRACE:
        return None
    return Minutia(float(x), float(y), math.degrees(_direction(paths[0], y, x)) % 360, "ending")


def _fork(bones: np.ndarray, y: int, x: int) -> Minutia | None:
    """The valley between the two branches that lie closest together gives the direction."""
    paths = _branches(bones, y, x)
    if len(paths) != 3 or min(map(len, paths)) < TRACE:
        return None
    angles = [_direction(path, y, x) for path in paths]
    pairs = ((0, 1), (0, 2), (1, 2))
    a, b = min(pairs, key=lambda p: abs(_turn(angles[p[0]], angles[p[1]])))
    middle = angles[a] + _turn(angles[b], angles[a]) / 2
    return Minutia(float(x), float(y), math.degrees(middle) % 360, "bifurcation")


def _turn(a: float, b: float) -> float:
    return (a - b + math.pi) % (2 * math.pi) - math.pi


def _direction(path: list[tuple[int, int]], y: int, x: int) -> float:
    """From the point towards the far half of the path, counter-clockwise with y up."""
    far = np.mean(path[len(path) // 2 :], 0)
    return math.atan2(y - far[0], far[1] - x)


def _branches(bones: np.ndarray, y: int, x: int) -> list[list[tuple[int, int]]]:
    """Up to TRACE pixels along each branch that leaves (y, x); a branch stops at an end or a fork."""
    starts = _next_pixels(bones, y, x, {(y, x)})
    blocked = {(y, x), *starts}
    return [_walk(bones, start, blocked) for start in starts]


def _walk(bones: np.ndarray, start: tuple[int, int], blocked: set[tuple[int, int]]) -> list[tuple[int, int]]:
    path, seen = [start], set(blocked)
    while len(path) < TRACE:
        step = _next_pixels(bones, *path[-1], seen)
        if len(step) != 1:
            break
        seen.add(step[0])
        path.append(step[0])
    return path


def _next_pixels(bones: np.ndarray, y: int, x: int, seen: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Unseen skeleton neighbours; a diagonal one that a straight one already leads to is left out."""
    height, width = bones.shape
    near = [
        (y + dy, x + dx)
        for dy, dx in NEIGHBOURS
        if 0 <= y + dy < height and 0 <= x + dx < width and bones[y + dy, x + dx] and (y + dy, x + dx) not in seen
    ]
    straight = [p for p in near if p[0] == y or p[1] == x]
    return straight + [
        p for p in near if p not in straight and not any(abs(p[0] - s[0]) + abs(p[1] - s[1]) == 1 for s in straight)
    ]


def _spaced(found: list[Minutia], spacing: float) -> tuple[Minutia, ...]:
    """Those that are neither too near to another nor an end of a short piece, from the top down."""
    if len(found) < 2:
        return tuple(found)
    step = np.array([complex(m.x, -m.y) for m in found])
    step = step[None] - step[:, None]
    heading = np.exp(1j * np.radians([m.angle for m in found]))
    near = np.abs(step) + np.diag(np.full(len(found), np.inf)) < spacing
    drop = (near | _pieces(step, heading)).any(1)
    return tuple(sorted((m for m, d in zip(found, drop, strict=True) if not d), key=lambda m: (m.y, m.x)))


def _pieces(step: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """(n, n) pairs that are the ends of one short ridge or lake: turned to each other, one ahead of the other.

    step (n, n) leads from each point to each other, heading (n,) is its direction, both complex with y up.
    """
    ahead = step * heading.conj()[:, None]
    length, width = PIECE
    facing = (ahead.real > 0) & (ahead.real < length) & (np.abs(ahead.imag) < width)
    turned = (heading[None] * heading.conj()[:, None]).real < -math.sqrt(0.5)
    return np.asarray(turned & (facing | facing.T))
