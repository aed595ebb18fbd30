"""A finger minutiae record, whatever the standard that stores it: image size, resolution, views."""

from collections.abc import Sequence
from dataclasses import dataclass

from fpsynth.errors import DamagedFile
from fpsynth.minutiae.minutia import Minutia, SingularPoint

MAX_MINUTIAE = 255
LARGEST = 0x3FFF
"""Pixels of a side: the standards have 14 bits for them."""
IMPRESSION_TYPES = (0, 1, 2, 3, 8)
"""Live plain, live rolled, non-live plain, non-live rolled, swipe."""


class FormatError(DamagedFile):
    """Bytes that break the standard, or a record that it cannot hold."""


@dataclass(frozen=True)
class View:
    """One view of a finger: ISO position 0..10, impression type, quality 0..100, cores and deltas."""

    minutiae: Sequence[Minutia]
    position: int = 0
    impression: int = 0
    quality: int = 0
    number: int = 0
    singular: Sequence[SingularPoint] = ()


@dataclass(frozen=True)
class Record:
    """Image size in pixels, resolution in pixels an inch, and the views."""

    width: int
    height: int
    views: tuple[View, ...]
    ppi: float = 500


def best(minutiae: Sequence[Minutia]) -> list[Minutia]:
    """At most 255 minutiae, those of the best quality, in their order."""
    if len(minutiae) <= MAX_MINUTIAE:
        return list(minutiae)
    ranked = sorted(range(len(minutiae)), key=lambda i: (-minutiae[i].quality, i))[:MAX_MINUTIAE]
    return [minutiae[i] for i in sorted(ranked)]
