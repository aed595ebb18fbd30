"""The gate against minutiae that are known to be in the image, or known not to be, by each extractor."""

import numpy as np
import pytest

from fpsynth.extractor import Found, mindtct
from fpsynth.gate import Asked, judge, notice
from tests.prints import grid, planted

nist = pytest.mark.skipif(not mindtct.available(), reason="nbis-python is not installed")
WHOLE = np.ones((400, 480), np.float32)
REASON = "libopencv_core.so.406: cannot open shared object file"


@pytest.fixture(params=[pytest.param("mindtct", marks=nist), "skeleton"])
def extractor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each extractor in turn; for our own one, NIST's tools are taken away."""
    if request.param == "skeleton":
        monkeypatch.setattr(mindtct, "missing", lambda: REASON)
    return request.param


def test_true_minutiae_pass(extractor: str) -> None:
    truth = grid()
    verdict = judge(planted(truth), truth, WHOLE)
    assert (verdict.verdict, verdict.extractor) == ("passed", extractor)
    assert verdict.recall is not None and verdict.recall >= 0.9


@pytest.mark.parametrize(
    "wrong",
    [
        lambda m: m._replace(angle=(m.angle + 180) % 360),
        lambda m: m._replace(x=m.x + 20),
        lambda m: m._replace(y=400 - m.y),
    ],
    ids=["turned", "shifted", "mirrored"],
)
def test_wrong_truth_fails(wrong, extractor: str) -> None:
    truth = grid()
    verdict = judge(planted(truth), [wrong(m) for m in truth], WHOLE)
    assert verdict.verdict == "failed"


def test_missing_truth_is_spurious_but_only_in_contact(extractor: str) -> None:
    truth = grid()
    half = [m for m in truth if m.x < 240]
    image = planted(truth)
    contact = WHOLE.copy()
    contact[:, 240:] = 0
    assert judge(image, half, WHOLE).verdict == "failed"
    assert judge(image, half, contact).verdict == "passed"


def test_blank_image_fails_without_an_exception(extractor: str) -> None:
    verdict = judge(np.full((400, 480), 255, np.uint8), grid(), WHOLE)
    assert (verdict.verdict, verdict.recall) == ("failed", 0.0)


def test_other_resolution_is_the_same_print(extractor: str) -> None:
    from PIL import Image

    truth = grid()
    large = np.asarray(Image.fromarray(planted(truth)).resize((960, 800), Image.Resampling.BICUBIC))
    doubled = [m._replace(x=2 * m.x, y=2 * m.y) for m in truth]
    verdict = judge(large, doubled, np.ones((800, 960), np.float32), ppi=1000)
    assert verdict.verdict == "passed"


@pytest.mark.parametrize("missing", [None, REASON], ids=["mindtct", "skeleton"])
def test_a_limit_that_is_named_holds_for_either_extractor(monkeypatch, missing: str | None) -> None:
    truth = [Found(20.0 * i, 0, 0, 1) for i in range(20)]
    monkeypatch.setattr(mindtct, "missing", lambda: missing)
    for found in range(21):
        monkeypatch.setattr("fpsynth.gate.verdict.extract", lambda *_, found=found: truth[:found])
        verdict = judge(np.zeros((9, 400), np.uint8), truth, np.ones((9, 400)), asked=Asked(recall=0.85))
        assert (verdict.verdict == "passed") == (found >= 17)


def test_the_notice_says_why_who_judges_and_what_mends_it(monkeypatch) -> None:
    monkeypatch.setattr(mindtct, "missing", lambda: None)
    assert notice() is None
    monkeypatch.setattr(mindtct, "missing", lambda: REASON)
    text = notice() or ""
    assert REASON in text and "own extractor" in text and "libopencv-core406" in text and len(text.splitlines()) == 1
