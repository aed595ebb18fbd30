"""Mated and non-mated comparisons: which pairs, their bozorth3 scores, error rates and their confidence intervals."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MATED, NON_MATED = 2000, 6000
"""At most so many comparisons."""
MANY = 1 << 23
"""With more possible pairs than this, pairs are drawn with replacement instead of from a list of all."""
FAR = (0.01, 0.001)
REPLICATES = 400
CONFIDENCE = (2.5, 97.5)


@dataclass(frozen=True)
class Pairs:
    """Index pairs (n, 2) into the images, and how many were possible."""

    mated: np.ndarray
    non_mated: np.ndarray
    possible_mated: int
    possible_non_mated: int


@dataclass(frozen=True)
class Scores:
    """Pairs with their scores; owner is the number of each image's identity."""

    pairs: Pairs
    mated: np.ndarray
    non_mated: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True)
class Rates:
    """Equal error rate, and true acceptance rates by the false acceptance rate (FAR) that they go with."""

    eer: float
    tar: Mapping[float, float]


def draw_pairs(identities: Sequence[Hashable]) -> tuple[Pairs, np.ndarray]:
    """Mated and non-mated pairs of images of these identities, and each image's identity as a number.

    All pairs where there are few, else drawn with a fixed seed: mated pairs first, identity by identity, non-mated
    pairs in the order of identity pairs.
    """
    numbers = {identity: n for n, identity in enumerate(dict.fromkeys(identities))}
    owner = np.array([numbers[identity] for identity in identities], dtype=np.int64)
    members = [np.flatnonzero(owner == n) for n in range(len(numbers))]
    mated = np.array([(a, b) for own in members for i, a in enumerate(own) for b in own[i + 1 :]], dtype=np.int64)
    mated, rng = mated.reshape(-1, 2), np.random.default_rng(0)
    few = mated[rng.permutation(len(mated))[:MATED]] if len(mated) > MATED else mated
    sizes = np.array([len(own) for own in members], dtype=np.int64)
    possible = int((sizes.sum() ** 2 - (sizes**2).sum()) // 2)
    non_mated = _draw_non_mated(members, sizes, possible, rng)
    return Pairs(few, non_mated, len(mated), possible), owner


def _draw_non_mated(
    members: list[np.ndarray], sizes: np.ndarray, possible: int, rng: np.random.Generator
) -> np.ndarray:
    if possible > MANY:
        return _draw_from_many(members, rng)
    first, second = np.triu_indices(len(members), 1)
    ends = np.cumsum(sizes[first] * sizes[second])
    chosen = rng.permutation(possible)[:NON_MATED] if possible > NON_MATED else np.arange(possible)
    block = np.searchsorted(ends, chosen, side="right")
    rest = chosen - np.concatenate([[0], ends])[block] if len(chosen) else chosen
    pairs = [
        (members[first[k]][r // sizes[second[k]]], members[second[k]][r % sizes[second[k]]])
        for k, r in zip(block, rest, strict=True)
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _draw_from_many(members: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Any two identities, any image of each."""
    pairs = []
    for _ in range(NON_MATED):
        a, b = rng.choice(len(members), 2, replace=False)
        pairs.append((rng.choice(members[a]), rng.choice(members[b])))
    return np.array(pairs, dtype=np.int64)


def tuples(pairs: np.ndarray) -> list[tuple[int, int]]:
    """Index pairs (n, 2) as Python's own."""
    return [(a, b) for a, b in pairs.tolist()]


def rates(mated: np.ndarray, non_mated: np.ndarray) -> Rates:
    """Equal error rate and true acceptance rates: a score at or above the threshold is a match."""
    one, other = np.ones(len(mated)), np.ones(len(non_mated))
    eer, *accepted = weighted_rates(mated, non_mated, one, other).tolist()
    return Rates(eer, dict(zip(FAR, accepted, strict=True)))


def weighted_rates(
    mated: np.ndarray, non_mated: np.ndarray, mated_weight: np.ndarray, non_mated_weight: np.ndarray
) -> np.ndarray:
    """EER, then TAR at each FAR, of scores that count with their weights."""
    top = max(mated.max(), non_mated.max()) + 1
    thresholds = np.unique(np.concatenate([mated, non_mated, [top]]))
    accepted = _share_at_or_above(mated, mated_weight, thresholds)
    false = _share_at_or_above(non_mated, non_mated_weight, thresholds)
    k = int(np.argmin(np.round(np.abs(false - (1 - accepted)), 12)))
    return np.array([(false[k] + 1 - accepted[k]) / 2, *(accepted[false <= far].max(initial=0.0) for far in FAR)])


def _share_at_or_above(scores: np.ndarray, weight: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    order = np.argsort(scores)
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    share: np.ndarray = np.round(1 - below[np.searchsorted(scores[order], thresholds)] / below[-1], 12)
    return share


def bootstrap(scores: Scores) -> np.ndarray:
    """95 % intervals of (EER, TAR...), shape (2, rates): identities are drawn again, with all their pairs."""
    rng, count = np.random.default_rng(0), int(scores.owner.max()) + 1
    mated_owner = scores.owner[scores.pairs.mated[:, 0]]
    one, other = (scores.owner[scores.pairs.non_mated[:, side]] for side in (0, 1))
    draws = []
    for _ in range(REPLICATES):
        weight = np.bincount(rng.integers(0, count, count), minlength=count).astype(float)
        mated_weight, non_weight = weight[mated_owner], weight[one] * weight[other]
        if mated_weight.sum() and non_weight.sum():
            draws.append(weighted_rates(scores.mated, scores.non_mated, mated_weight, non_weight))
    bounds: np.ndarray = np.percentile(draws, CONFIDENCE, axis=0)
    return bounds


def det_curve(mated: np.ndarray, non_mated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False match and false non-match rates at every threshold."""
    thresholds = np.unique(np.concatenate([mated, non_mated]))
    false = _share_at_or_above(non_mated, np.ones(len(non_mated)), thresholds)
    return false, 1 - _share_at_or_above(mated, np.ones(len(mated)), thresholds)
