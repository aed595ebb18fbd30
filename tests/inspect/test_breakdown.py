"""Figures word by word, against counts made by hand."""

import numpy as np
import pytest

from fpsynth.extractor import Tally
from fpsynth.inspect.measure.breakdown import ENOUGH, breakdown
from fpsynth.inspect.measure.image import Deep
from fpsynth.inspect.measure.matching import Pairs, Scores
from fpsynth.inspect.measure.record import Judged, Record


def record(identity: int, sensor: str, tally: Tally, nfiq2: int | None = 50) -> Record:
    return Record(
        unit=0,
        number=0,
        name=f"{identity}",
        identity=f"{identity}",
        impression=0,
        width=1,
        height=1,
        ppi=500,
        mean=0,
        deviation=0,
        pixels="",
        words={"sensor": sensor, "quality": "good"},
        deep=Deep(*[1.0] * len(Deep._fields)),
        judged=Judged(nfiq2=nfiq2, features={}, found=tally.strong, template=b"", tally=tally),
    )


def test_by_hand() -> None:
    ink = [record(i, "ink", Tally(9, 10, 1, 10), 60) for i in range(2)]
    dry = [record(i, "optical", Tally(5, 10, 5, 20), nfiq2) for i, nfiq2 in ((0, 20), (1, None))]
    records = [*ink, *dry]
    pairs = Pairs(np.array([[0, 2], [1, 3]]), np.array([[0, 1], [2, 3]]), 2, 2)
    told = breakdown(records, records, Scores(pairs, np.array([40.0, 50.0]), np.array([3.0, 4.0]), np.arange(4) % 2))
    assert list(told) == ["sensor"], "all images say the same quality"
    assert list(told["sensor"]) == ["optical", "ink"]
    found = told["sensor"]["optical"]
    assert (found.images, found.nfiq2, found.minutiae, found.recall, found.spurious) == (2, 20, 20, 0.5, 0.25)
    assert (found.mated, found.mated_median, found.eer) == (0, None, None), "no finger has two optical prints"


@pytest.mark.parametrize("count", [ENOUGH - 1, ENOUGH])
def test_an_error_rate_needs_enough_comparisons(count: int) -> None:
    records = [record(n // 2, "ink", Tally(1, 1, 0, 1)) for n in range(2 * count)]
    other = [record(1000, "optical", Tally(1, 1, 0, 1))]
    mated = np.array([(2 * n, 2 * n + 1) for n in range(count)])
    non_mated = np.array([(0, 2), (0, 2 * count)])
    scores = Scores(Pairs(mated, non_mated, count, 2), np.full(count, 30.0), np.array([30.0, 0.0]), np.zeros(1))
    told = breakdown([*records, *other], [*records, *other], scores)["sensor"]["ink"]
    assert told.mated == count and told.mated_median == 30
    assert told.eer == (None if count < ENOUGH else 0.5), "of the strangers only those who both say ink count"
