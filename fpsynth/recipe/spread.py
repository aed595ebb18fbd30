"""Draws that keep to their shares, also when there are few of them.

Draw n of slot k is frac(base_k + n * alpha_k), an additive recurrence with the generalised golden ratio (M. Roberts,
"The unreasonable effectiveness of quasirandom sequences", 2018). base_k is random, so each draw alone is uniform in
[0, 1); together they are even, so that of 8 identities at shares .75 and .25 about 6 and 2 come out. Draw n depends on
the base and on n, not on how many are drawn.

`latin_square`, for items in rows: every 4 x 4 of them are a random Latin square (R. A. Fisher), so that one of the
items of a row, and one of the rows of an item, falls in each quarter of [0, 1), and one of all in each sixteenth.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np

SIDE = 4
"""Of a Latin square."""


@cache
def steps(slots: int) -> np.ndarray:
    """alpha_1 .. alpha_slots: 1/g, 1/g^2, ... where g^(slots + 1) = g + 1, g > 1."""
    g = 2.0
    for _ in range(60):
        g = (1 + g) ** (1 / (slots + 1))
    return g ** -np.arange(1.0, slots + 1)


def spread(base: np.ndarray, index: int) -> np.ndarray:
    """The draws in [0, 1) of item index: one for each slot of base, which holds random numbers in [0, 1)."""
    draws: np.ndarray = (base + index * steps(len(base))) % 1.0
    return draws


def spread_each(base: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """(n, slots): as spread, of many items at once."""
    draws: np.ndarray = (base + indices[:, None] * steps(len(base))) % 1.0
    return draws


def latin_square(rng: np.random.Generator) -> np.ndarray:
    """Draws in [0, 1) for 4 rows of 4 items."""
    rows, items, fine = rng.permuted(np.tile(np.arange(SIDE), (3, 1)), axis=1)
    coarse = (rows[:, None] + items) % SIDE
    draws: np.ndarray = (coarse + (fine[:, None] + rng.random((SIDE, SIDE))) / SIDE) / SIDE
    return draws


def pick(shares: Mapping[str, float], draw: float) -> str:
    """The word at which a draw in [0, 1) falls."""
    reached = 0.0
    for word, share in shares.items():
        reached += share
        if draw < reached:
            return word
    return max(shares, key=lambda word: shares[word])


def pick_each(shares: Mapping[str, float], draws: np.ndarray) -> np.ndarray:
    """As pick, of many draws at once: the words' places in the order of the shares."""
    words = list(shares)
    reached = np.cumsum(list(shares.values()))
    found = np.searchsorted(reached, draws, "right")
    largest = words.index(max(shares, key=lambda word: shares[word]))
    picked: np.ndarray = np.where(found < len(words), found, largest)
    return picked


def pick_or_none(shares: Mapping[str, float] | None, draw: float) -> str | None:
    """As pick; None for a slot without shares."""
    return None if shares is None else pick(shares, draw)
