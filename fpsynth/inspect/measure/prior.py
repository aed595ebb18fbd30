"""The shares of words among images of which a reader says only how likely each word is.

Counted by their likeliest word, rare words are read too often and common ones too seldom. Saerens, Latinne &
Decaestecker ("Adjusting the outputs of a classifier to new a priori probabilities", Neural Computation 2002) find the
shares under which the probabilities are most likely, given the shares that the reader was trained on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

STEPS = 400
CLOSE = 1e-5
"""No share moves farther than this: the shares are found."""
TINY = 1e-12
REPLICATES = 200
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Share:
    """A word's share with its 95 % interval."""

    value: float
    low: float
    high: float


def found_shares(
    told: np.ndarray, prior: np.ndarray, weight: np.ndarray | None = None, start: np.ndarray | None = None
) -> np.ndarray:
    """(words,) shares behind probabilities (n, words) of a reader that was trained on the shares `prior`.

    weight: (n,) how often each image counts; start: shares to begin at, where they are about known.
    """
    weight = np.ones(len(told)) if weight is None else weight
    relative = told / np.maximum(prior, CLOSE)
    shares = prior if start is None else start
    for _ in range(STEPS):
        corrected = relative * shares
        following: np.ndarray = (weight / np.maximum(corrected.sum(1), TINY)) @ corrected / weight.sum()
        done = np.abs(following - shares).max() < CLOSE
        shares = following
        if done:
            break
    return shares


def estimated(told: np.ndarray, words: Sequence[str], prior: np.ndarray, owner: np.ndarray) -> dict[str, Share]:
    """Share of every word with the interval that other images would give; owner (n,): who is drawn again."""
    shares = found_shares(told, prior)
    start = (shares + CLOSE) / (shares + CLOSE).sum()
    draws = [found_shares(told, prior, weight, start) for weight in weights(owner)]
    low, high = np.percentile(draws, INTERVAL, axis=0)
    each = zip(words, shares, np.minimum(low, shares), np.maximum(high, shares), strict=True)
    return {word: Share(*(float(share) for share in own)) for word, *own in each}


def weights(owner: np.ndarray) -> list[np.ndarray]:
    """Bootstrap: how often each image counts when the owners are drawn again, with all of their images."""
    _, number = np.unique(owner, return_inverse=True)
    rng, count = np.random.default_rng(0), int(number.max()) + 1
    return [
        np.bincount(rng.integers(0, count, count), minlength=count).astype(float)[number] for _ in range(REPLICATES)
    ]


def whole(shares: Mapping[str, Share], least: float = 0.01) -> dict[str, float]:
    """Shares of at least `least` in hundredths that sum to exactly 1: the largest remainders are rounded up."""
    kept = {word: share.value for word, share in shares.items() if share.value >= least}
    total = sum(kept.values())
    exact = {word: 100 * value / total for word, value in kept.items()}
    parts = {word: int(value) for word, value in exact.items()}
    missing = 100 - sum(parts.values())
    for word in sorted(exact, key=lambda w: parts[w] - exact[w])[:missing]:
        parts[word] += 1
    return {word: part / 100 for word, part in parts.items()}
