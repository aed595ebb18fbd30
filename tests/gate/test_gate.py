"""The gate against minutiae that are known to be in the image, or known not to be."""

import numpy as np
import pytest

from fpsynth.gate import available, compare, judge
from fpsynth.gate.extractor import extract
from fpsynth.gate.match import Found, pair
from fpsynth.minutiae import Minutia
from tests.prints import grid, kinds, planted

nist = pytest.mark.skipif(not available(), reason="nbis-python is not installed")
WHOLE = np.ones((400, 480), np.float32)


@nist
@pytest.mark.parametrize("angle", [0.0, 180.0])
@pytest.mark.parametrize("y", [170.0, 174.5])
def test_angle_and_place_of_mindtct_are_ours(angle: float, y: float) -> None:
    truth = kinds([Minutia(260.0, y, angle, "ending")])
    (found,) = extract(planted(truth), 500)
    assert abs(found.x - 260) <= 2 and abs(found.y - y) <= 2
    assert abs((found.angle - angle + 180) % 360 - 180) <= 12


@nist
def test_true_minutiae_pass() -> None:
    truth = grid()
    verdict = judge(planted(truth), truth, WHOLE)
    assert verdict.verdict == "passed"
    assert verdict.recall is not None and verdict.recall >= 0.9


@nist
@pytest.mark.parametrize(
    "wrong",
    [
        lambda m: m._replace(angle=(m.angle + 180) % 360),
        lambda m: m._replace(x=m.x + 20),
        lambda m: m._replace(y=400 - m.y),
    ],
    ids=["turned", "shifted", "mirrored"],
)
def test_wrong_truth_fails(wrong) -> None:
    truth = grid()
    verdict = judge(planted(truth), [wrong(m) for m in truth], WHOLE)
    assert verdict.verdict == "failed"


@nist
def test_missing_truth_is_spurious_but_only_in_contact() -> None:
    truth = grid()
    half = [m for m in truth if m.x < 240]
    image = planted(truth)
    contact = WHOLE.copy()
    contact[:, 240:] = 0
    assert judge(image, half, WHOLE).verdict == "failed"
    assert judge(image, half, contact).verdict == "passed"


@nist
def test_blank_image_fails_without_an_exception() -> None:
    verdict = judge(np.full((400, 480), 255, np.uint8), grid(), WHOLE)
    assert (verdict.verdict, verdict.recall) == ("failed", 0.0)


@nist
def test_other_resolution_is_the_same_print() -> None:
    from PIL import Image

    truth = grid()
    large = np.asarray(Image.fromarray(planted(truth)).resize((960, 800), Image.Resampling.BICUBIC))
    doubled = [m._replace(x=2 * m.x, y=2 * m.y) for m in truth]
    verdict = judge(large, doubled, np.ones((800, 960), np.float32), ppi=1000)
    assert verdict.verdict == "passed"


def test_without_the_extra_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpsynth.gate.verdict.available", lambda: False)
    assert judge(np.zeros((64, 64), np.uint8), [], np.ones((64, 64))).verdict == "unjudged"


def test_pairs_are_one_to_one_and_nearest_first() -> None:
    truth = [Found(0, 0, 0, 1), Found(10, 0, 0, 1)]
    assert pair(truth, [Found(9, 0, 0, 1)]) == [(1, 0)]
    assert sorted(pair(truth, [Found(6, 0, 0, 1), Found(9, 0, 0, 1)])) == [(0, 0), (1, 1)]
    assert pair(truth, [Found(9, 0, 31, 1)]) == []
    assert pair([Found(0, 0, 350, 1)], [Found(12, 0, 15, 1)]) == [(0, 0)]


def test_weak_extras_do_not_count() -> None:
    tally = compare([], [Found(5, 5, 0, 0.29), Found(9, 9, 0, 0.3)])
    assert (tally.extra, tally.strong, tally.recall, tally.spurious) == (1, 1, 1.0, 1.0)
