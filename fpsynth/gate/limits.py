"""How much of the truth an image must show, and how much else it may: what captures of its words can show at all.

A very poor print honestly hides minutiae; a limit that is the same for all of them would throw such prints away, and
leave a dataset cleaner than it was asked for. limits.json is learnt from virtual renders (benchmarks/gate_limits.py
makes it): for each sensor, quality and skin the mean share of the truth that is found again and of what is found
without being true, and how far images lie from it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fpsynth.extractor import Extractor
from fpsynth.slots import Words

TABLE = Path(__file__).with_name("limits.json")
Z = 1.64
"""Deviations from the mean: so about one honest render in twenty falls below."""
OPEN: Mapping[str, str] = {"sensor": "optical", "quality": "good", "skin": "normal"}
"""What a capture is where the recipe does not say."""
LOWEST, HIGHEST = 0.3, 0.7
"""Least recall and largest share of spurious minutiae that any words allow: another finger's print shows about .25."""


@dataclass(frozen=True)
class Limits:
    """The least recall and the largest share of spurious minutiae with which an image passes."""

    recall: float
    spurious: float


@dataclass(frozen=True)
class Usual:
    """Of renders of some words: means, and deviations beyond those of chance."""

    recall: float
    recall_spread: float
    spurious: float
    spurious_spread: float

    def limits(self, minutiae: int) -> Limits:
        """For an image of so many true minutiae: of few, chance hides a larger share."""
        least = self.recall - Z * deviation(self.recall, self.recall_spread, minutiae)
        most = self.spurious + Z * deviation(self.spurious, self.spurious_spread, minutiae)
        return Limits(round(max(least, LOWEST), 3), round(min(most, HIGHEST), 3))


def deviation(share: float, spread: float, count: int) -> float:
    """Of a share of `count` minutiae: that of the images, and chance on top."""
    return float(np.sqrt(spread**2 + share * (1 - share) / max(count, 1)))


def limits_of(words: Words, minutiae: int, extractor: Extractor) -> Limits:
    """The limits of an image of these words and so many true minutiae, judged by this extractor.

    A word that the table does not have, of a sensor that came later, is taken for the usual one.
    """
    found = _table()[extractor]
    for slot, usual in OPEN.items():
        found = found.get(words.get(slot) or usual) or found[usual]
    return Usual(*found).limits(minutiae)


@cache
def _table() -> Any:
    """Extractor -> sensor -> quality -> skin -> the figures of Usual."""
    return json.loads(TABLE.read_text(encoding="utf-8"))


def usual_of(recall: Sequence[float], spurious: Sequence[float], counts: Sequence[int]) -> Usual:
    """What renders of the same words show; counts: the true minutiae of each."""
    return Usual(*_moments(recall, counts), *_moments(spurious, counts))


def _moments(shares: Sequence[float], counts: Sequence[int]) -> tuple[float, float]:
    """Mean, and the deviation that chance does not account for."""
    mean = float(np.mean(shares))
    chance = float(np.mean(mean * (1 - mean) / np.maximum(counts, 1)))
    return round(mean, 3), round(max(float(np.var(shares)) - chance, 0.0) ** 0.5, 3)
