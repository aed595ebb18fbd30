"""The capture.variation at which virtual renders are as alike as the images of a finger are.

By the cosine of the embedding: from good to poor prints it falls much less than bozorth3's score, and what is left of
that is in the tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fpsynth.inspect.measure.likeness import cosines, identities
from fpsynth.inspect.measure.matching import draw_pairs
from fpsynth.inspect.measure.prior import INTERVAL, weights
from fpsynth.inspect.measure.record import Record

LEAST = 20
"""Mated pairs, with fewer of which nothing is told."""
QUARTILES = (0.25, 0.5, 0.75)
Table = Mapping[float, tuple[float, float, float]]

GOOD: Final[Table] = {
    0.25: (0.973, 0.981, 0.986),
    0.5: (0.925, 0.955, 0.969),
    0.75: (0.847, 0.915, 0.943),
    1.0: (0.754, 0.865, 0.905),
    1.25: (0.663, 0.795, 0.868),
    1.5: (0.525, 0.690, 0.810),
    2.0: (0.206, 0.510, 0.703),
}
POOR: Final[Table] = {
    0.25: (0.889, 0.921, 0.947),
    0.5: (0.819, 0.866, 0.922),
    0.75: (0.744, 0.827, 0.887),
    1.0: (0.652, 0.755, 0.844),
    1.25: (0.569, 0.707, 0.798),
    1.5: (0.435, 0.575, 0.749),
    2.0: (0.099, 0.380, 0.624),
}
"""capture.variation -> quartiles of mated cosines of good and of poor renders, by `python benchmarks/variation.py`."""
GRID: Final = np.arange(0.25, 2.001, 0.01)


@dataclass(frozen=True)
class Variation:
    """The variation with its 95 % interval, and from how many mated pairs."""

    value: float
    low: float
    high: float
    pairs: int


def fitted(records: Sequence[Record], poor: float) -> Variation | None:
    """From the records with an embedding; poor: how far from good (0) to poor (1) they are. None: too few pairs."""
    described = [record for record in records if record.print is not None]
    pairs, owner = draw_pairs([record.identity for record in described])
    if len(pairs.mated) < LEAST:
        return None
    scores, finger = cosines(identities(described), pairs.mated), owner[pairs.mated[:, 0]]
    table = _table(poor)
    draws = [_nearest(scores, weight, table) for weight in weights(finger)]
    low, high = np.percentile(draws, INTERVAL)
    return Variation(_nearest(scores, np.ones(len(scores)), table), float(low), float(high), len(scores))


def _table(poor: float) -> np.ndarray:
    """(grid, 3) quartiles to be expected at each variation of the grid."""
    return (1 - poor) * _on_grid(GOOD) + poor * _on_grid(POOR)


def _on_grid(table: Table) -> np.ndarray:
    known, quartiles = list(table), np.array(list(table.values()))
    return np.stack([np.interp(GRID, known, column) for column in quartiles.T], 1)


def _nearest(scores: np.ndarray, weight: np.ndarray, table: np.ndarray) -> float:
    """The variation whose quartiles are together nearest to those of weighted scores."""
    order = np.argsort(scores)
    below = np.cumsum(weight[order]) - weight[order] / 2
    found = np.interp(np.array(QUARTILES) * weight.sum(), below, scores[order])
    return float(GRID[np.abs(table - found).sum(1).argmin()])
