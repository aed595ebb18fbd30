"""The gate asks of a print what prints of its words can show: honest poor ones pass, other fingers' never do."""

from itertools import pairwise

import numpy as np
import pytest

from fpsynth.extractor import mindtct
from fpsynth.finger import make_finger
from fpsynth.gate import Asked, Limits, judge
from fpsynth.gate.limits import limits_of, usual_of
from fpsynth.impression import CaptureSettings, capture
from fpsynth.sensor import draw_device, render
from fpsynth.slots import words_of

nist = pytest.mark.skipif(not mindtct.available(), reason="NIST's tools cannot be loaded")
QUALITIES = words_of("quality")


@pytest.fixture(scope="module")
def renders():
    """(words, image, impression): four fingers in every quality, optical."""
    made = []
    for i in range(4):
        finger = make_finger(np.random.default_rng(900 + i), ("whorl", "left_loop", "arch", "right_loop")[i])
        for quality in QUALITIES:
            rng = np.random.default_rng([i, QUALITIES.index(quality)])
            settings = CaptureSettings(width=384, height=384, quality=quality, variation=0.3)
            one = capture(finger, settings, rng)
            image = np.asarray(render(one, draw_device("optical", rng), rng))
            made.append(({"sensor": "optical", "quality": quality, "skin": "normal"}, image, one))
    return made


def judged(words, image, truth, contact):
    return judge(image, truth.minutiae, contact.contact.numpy(), 500, Asked(words)).verdict


@nist
def test_honest_prints_of_every_quality_pass(renders):
    passed = [judged(words, image, one, one) == "passed" for words, image, one in renders]
    assert np.mean(passed) >= 0.8


@nist
def test_the_ridges_of_another_finger_fail_in_every_quality(renders):
    others = zip(renders, renders[len(QUALITIES) :] + renders[: len(QUALITIES)], strict=True)
    assert {judged(words, image, other, one) for (words, image, one), (_, _, other) in others} == {"failed"}


@pytest.mark.parametrize("extractor", ["mindtct", "skeleton"])
@pytest.mark.parametrize("sensor", words_of("sensor"))
def test_poorer_prints_are_asked_for_less(sensor, extractor):
    asked = [limits_of({"sensor": sensor, "quality": quality}, 40, extractor) for quality in QUALITIES]
    assert all(w.recall <= b.recall and w.spurious >= b.spurious for b, w in pairwise(asked))
    assert sensor == "latent" or asked[-1].recall < asked[0].recall - 0.1


def test_few_minutiae_are_asked_for_a_smaller_share():
    few, many = (limits_of({}, count, "mindtct") for count in (8, 80))
    assert few.recall < many.recall and few.spurious > many.spurious


def test_open_words_are_the_usual_ones():
    assert limits_of({"sensor": None}, 40, "mindtct") == limits_of(
        {"sensor": "optical", "quality": "good"}, 40, "mindtct"
    )


def test_a_sensor_that_came_later_is_judged_as_the_usual_one():
    later, usual = ({"sensor": sensor, "quality": "poor"} for sensor in ("later", "optical"))
    assert limits_of(later, 40, "mindtct") == limits_of(usual, 40, "mindtct")


def test_limits_that_the_recipe_gives_hold_for_all_words():
    for quality in QUALITIES:
        assert Asked({"quality": quality}, 0.85, 0.15).limits(9, "mindtct") == Limits(0.85, 0.15)


def test_chance_is_told_from_the_images_own_differences():
    rng = np.random.default_rng(5)
    counts = rng.integers(20, 60, 4000)
    alike = rng.binomial(counts, 0.8) / counts
    apart = rng.binomial(counts, rng.normal(0.8, 0.08, 4000).clip(0, 1)) / counts
    assert usual_of(alike, alike, counts).recall == pytest.approx(0.8, abs=0.01)
    assert usual_of(alike, alike, counts).recall_spread < 0.02
    assert usual_of(apart, apart, counts).recall_spread == pytest.approx(0.08, abs=0.01)
