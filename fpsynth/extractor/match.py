"""Extracted minutiae against true ones: one to one, nearest first, within 12 pixels and 30 degrees at 500 ppi."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

PPI = 500
"""Extractors work at it; images of another resolution are resampled to it."""
DISTANCE = 12.0
"""Pixels at 500 ppi."""
ANGLE = 30.0
"""Degrees."""
STRONG = 0.3
"""Extracted minutiae below this reliability are not counted as spurious."""


class Point(Protocol):
    """What a minutia needs for matching: pixels from the top left, degrees in the sense of ISO/IEC 19794-2."""

    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def angle(self) -> float: ...


class Found(NamedTuple):
    """An extracted minutia; reliability in [0, 1]."""

    x: float
    y: float
    angle: float
    reliability: float


class Tally(NamedTuple):
    """hits of truth minutiae found; extra of strong extracted ones that are not in the truth. Tallies can be added."""

    hits: int
    truth: int
    extra: int
    strong: int

    @property
    def recall(self) -> float:
        """Share of the truth that was found; 1 where there is none to find."""
        return self.hits / self.truth if self.truth else 1.0

    @property
    def spurious(self) -> float:
        """Share of what was found with some confidence that is not in the truth."""
        return self.extra / self.strong if self.strong else 0.0


def pair(truth: Sequence[Point], found: Sequence[Point], scale: float = 1.0) -> list[tuple[int, int]]:
    """Indices (truth, found) of minutiae that are the same, nearest first, each used once. scale: 500 / ppi."""
    if not truth or not found:
        return []
    a, b = (np.array([(p.x, p.y, p.angle) for p in points], dtype=np.float64) for points in (truth, found))
    gap = np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1])
    turn = np.abs((a[:, None, 2] - b[None, :, 2] + 180) % 360 - 180)
    i, j = np.nonzero((gap * scale <= DISTANCE) & (turn <= ANGLE))
    order = np.lexsort((j, i, gap[i, j]))
    return _greedy(zip(i[order].tolist(), j[order].tolist(), strict=True))


def _greedy(candidates: "zip[tuple[int, int]]") -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    used_i, used_j = set(), set()
    for i, j in candidates:
        if i not in used_i and j not in used_j:
            used_i.add(i)
            used_j.add(j)
            pairs.append((i, j))
    return pairs


def compare(
    truth: Sequence[Point], found: Sequence[Found], contact: np.ndarray | None = None, scale: float = 1.0
) -> Tally:
    """Count hits and extras, all in the same pixels; scale: 500 / ppi.

    contact (height, width), 1 where skin touched: extras are counted only there.
    """
    pairs = pair(truth, found, scale)
    paired = {j for _, j in pairs}
    strong = [j for j, f in enumerate(found) if f.reliability >= STRONG and _inside(f, contact)]
    return Tally(len(pairs), len(truth), sum(j not in paired for j in strong), len(strong))


def _inside(point: Point, contact: np.ndarray | None) -> bool:
    if contact is None:
        return True
    height, width = contact.shape
    row, column = min(max(int(point.y), 0), height - 1), min(max(int(point.x), 0), width - 1)
    return bool(contact[row, column] >= 0.5)
