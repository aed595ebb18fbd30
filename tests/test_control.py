"""The arithmetic of benchmarks/control.py; what it measures is in docs/control.md."""

import json

import numpy as np
import pytest
from knobs.page import span, write
from knobs.sampling import differences, split
from knobs.sets import Knob, energy_apart
from knobs.words import rank_correlation

from fpsynth.inspect.measure.realism import energy

X = np.arange(256)


def wave(period, height=40.0):
    return np.tile(128 + height * np.sin(2 * np.pi * X / period), (256, 1))


def test_ridges_are_fine_and_shades_are_coarse():
    ridges, shade = wave(9), wave(256)
    middle = (slice(40, -40), slice(40, -40))
    assert split(ridges)[1][middle].std() > 0.95 * ridges[middle].std()
    assert split(shade)[0][middle].std() > 0.95 * shade[middle].std()
    coarse, fine = split(ridges + shade)
    assert np.allclose(coarse + fine, ridges + shade)


def test_differences_within_a_finger_and_between_fingers():
    flat = [np.full((64, 64), grey, np.uint8) for grey in (100, 110, 200)]
    within_coarse, within_fine, between_coarse, between_fine = differences(flat, ["a", "a", "b"])
    assert (within_coarse, between_coarse) == pytest.approx((10, 100))
    assert (within_fine, between_fine) == pytest.approx((0, 0), abs=1e-6)


def test_a_page_keeps_what_was_found_before(tmp_path):
    curve = {"recall": [0.5, 0.9]}
    picture = [("a", np.zeros((8, 8), np.uint8)), ("b", np.full((8, 8), 255, np.uint8))]
    first = Knob("one", "First", ("x", "y"), [("1", "2")], axis="share", at=("a", "b"), pictures=picture, curves=curve)
    write([first], tmp_path)
    text = write([Knob("two", "Second", ("z",), [("3",)])], tmp_path)
    assert "| x | y |\n| --- | --- |\n| 1 | 2 |" in text
    assert "![First](one.png)" in text and "two.png" not in text
    assert list(json.loads((tmp_path / "control.json").read_text())) == ["one", "two"]
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_sets_of_the_same_rows_are_not_nearer_than_they_are():
    rows = np.random.default_rng(0).normal(size=(30, 40))
    same = np.eye(30, dtype=bool)
    assert energy(rows, rows) < -0.5
    assert energy_apart(rows, rows, same) == pytest.approx(0, abs=1e-9)
    far = rows + 1
    assert energy_apart(rows, far, same & False) == pytest.approx(energy(rows, far))
    assert energy_apart(rows, far, same) > energy(rows, far) > 0


def test_rank_correlation_is_one_where_better_words_score_higher():
    assert rank_correlation([[90], [70], [50]]) == pytest.approx(1)
    assert rank_correlation([[10, 12], [30, 31], [50, 52]]) < -0.9
    assert abs(rank_correlation([[1, 5, 9], [1, 5, 9]])) < 1e-9


def test_no_value_is_outside_the_axis_and_0_is_on_it():
    low, high = span([-2.0, 1.0, float("nan")])
    assert low < -2 and high > 1
    assert span([0.5, 1.0])[0] == 0
    assert span([]) == (0, 1)
