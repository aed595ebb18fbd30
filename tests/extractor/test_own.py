"""Our own extractor on prints whose minutiae are exact, and on prints of our own sensors."""

import cv2
import numpy as np
import pytest

from fpsynth.extractor import Tally, compare
from fpsynth.extractor.own import extract
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.minutiae import Minutia
from fpsynth.sensor import draw_device, render
from tests.prints import grid, kinds, planted


@pytest.mark.parametrize("angle", [0.0, 180.0])
@pytest.mark.parametrize("y", [170.0, 174.5])
def test_angle_and_place_are_exact(angle: float, y: float) -> None:
    (found,) = extract(planted(kinds([Minutia(260.0, y, angle, "ending")])), 500)
    assert abs(found.x - 260) <= 3 and abs(found.y - y) <= 2
    assert abs((found.angle - angle + 180) % 360 - 180) <= 8
    assert found.reliability > 0.5


@pytest.mark.parametrize("ppi", [400, 500, 1000])
def test_all_of_a_grid_and_nothing_else_at_any_resolution(ppi: int) -> None:
    truth = grid()
    image = cv2.resize(planted(truth), None, fx=ppi / 500, fy=ppi / 500, interpolation=cv2.INTER_AREA)
    tally = compare(truth, extract(image, ppi))
    assert (tally.recall, tally.spurious) == (1, 0)


def optical(seed: int) -> Tally:
    rng = np.random.default_rng(seed)
    impression = capture(make_finger(np.random.default_rng(seed), "whorl"), CaptureSettings(), rng)
    image = render(impression, draw_device("optical", rng), rng).numpy()
    return compare(impression.minutiae, extract(image, 500))


def test_prints_of_an_optical_sensor() -> None:
    total = Tally(*np.sum([optical(seed) for seed in range(3, 8)], 0))
    assert total.recall >= 0.8 and total.spurious <= 0.15


@pytest.mark.parametrize("shape", [(512, 512), (20, 20), (8, 300)])
def test_nothing_is_found_on_an_image_without_ridges(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).normal(200, 2, shape).astype(np.uint8)
    assert extract(noise, 500) == []
    assert all(f.reliability < 0.5 for f in extract(np.random.default_rng(0).integers(0, 255, shape, np.uint8), 500))
