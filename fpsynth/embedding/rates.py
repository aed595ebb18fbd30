"""What a cosine threshold of the bundled embedding stands for; to be asked without loading torch."""

import math
from bisect import bisect_right

CANONICAL: tuple[tuple[float, float], ...] = ((0.5, 0.1), (0.95, 1e-6))
"""Thresholds, and the share of pairs of different fingers whose canonical prints (making.screen) are as alike."""


def false_match_rate(threshold: float) -> float:
    """The share of pairs of different fingers whose canonical prints have this cosine or more.

    Log-linear between the entries of the table; below it 1, above it what its last entry has.
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
