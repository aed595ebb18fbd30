"""The comparisons worth seeing: impressions of one finger that match least, those of two fingers that match best."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from fpsynth.inspect.measure.dataset import Measured
from fpsynth.inspect.measure.record import Record


@dataclass(frozen=True)
class Shown:
    """Two images and their score."""

    one: Record
    other: Record
    score: float


def compared(look: Measured) -> list[Record]:
    """The records that the scores count."""
    return [r for r in look.records if (r.judged if look.judged else r.print) is not None]


def worst_mated(look: Measured, count: int) -> list[Shown]:
    """The lowest scores within fingers, one a finger."""
    if look.scores is None:
        return []
    scores = look.scores
    return _first(look, scores.pairs.mated, scores.mated, np.argsort(scores.mated, kind="stable"), count)


def best_non_mated(look: Measured, count: int) -> list[Shown]:
    """The highest scores between fingers, one for each two of them."""
    if look.scores is None:
        return []
    scores = look.scores
    return _first(look, scores.pairs.non_mated, scores.non_mated, np.argsort(-scores.non_mated, kind="stable"), count)


def _first(look: Measured, pairs: np.ndarray, scores: np.ndarray, order: np.ndarray, count: int) -> list[Shown]:
    """The first pairs in this order, of any identities once."""
    records, seen, found = compared(look), set[frozenset[Hashable]](), []
    for index in order.tolist():
        one, other = (records[i] for i in pairs[index].tolist())
        who = frozenset((one.identity, other.identity))
        if who not in seen:
            seen.add(who)
            found.append(Shown(one, other, float(scores[index])))
        if len(found) == count:
            break
    return found
