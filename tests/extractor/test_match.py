"""Which minutiae are the same, and what is counted."""

from fpsynth.extractor import Found, compare
from fpsynth.extractor.match import pair


def test_pairs_are_one_to_one_and_nearest_first() -> None:
    truth = [Found(0, 0, 0, 1), Found(10, 0, 0, 1)]
    assert pair(truth, [Found(9, 0, 0, 1)]) == [(1, 0)]
    assert sorted(pair(truth, [Found(6, 0, 0, 1), Found(9, 0, 0, 1)])) == [(0, 0), (1, 1)]
    assert pair(truth, [Found(9, 0, 31, 1)]) == []
    assert pair([Found(0, 0, 350, 1)], [Found(12, 0, 15, 1)]) == [(0, 0)]


def test_weak_extras_do_not_count() -> None:
    tally = compare([], [Found(5, 5, 0, 0.29), Found(9, 9, 0, 0.3)])
    assert (tally.extra, tally.strong, tally.recall, tally.spurious) == (1, 1, 1.0, 1.0)
