"""What a cosine threshold of the bundled embedding stands for; to be asked without loading torch."""

import math
from bisect import bisect_right

CANONICAL: tuple[tuple[float, float], ...] = (
    (0.0, 0.67),
    (0.25, 0.33),
    (0.5, 0.13),
    (0.6, 0.067),
    (0.7, 0.022),
    (0.75, 0.009),
    (0.8, 0.0025),
    (0.82, 0.0013),
    (0.85, 2.9e-4),
    (0.875, 4.6e-5),
    (0.89, 1.6e-5),
    (0.9, 6e-6),
)
"""Thresholds, and the share of pairs of different fingers whose canonical prints (making.screen) are as alike: of the
499,500 pairs of 1,000 fingers, by benchmarks/screen.py, which prints the shares of these thresholds."""


def false_match_rate(threshold: float) -> float:
    """The share of pairs of different fingers whose canonical prints have this cosine or more.

    Log-linear between the entries of the table; below it 1, above it what its last entry has, an upper bound.
    """
    known = [entry for entry, _ in CANONICAL]
    at = bisect_right(known, threshold)
    if at == 0:
        return 1.0
    if at == len(known):
        return CANONICAL[-1][1]
    (low, more), (high, less) = CANONICAL[at - 1 : at + 1]
    part = (threshold - low) / (high - low)
    return math.exp((1 - part) * math.log(more) + part * math.log(less))
