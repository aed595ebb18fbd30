"""The skin's unevenness belongs to the capture: it breaks dry ridges, closes wet valleys, and keeps its size."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.sensor.touch import touch


def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def finger():
    return make_finger(rng(5), "left_loop")


def taken(finger, seed=1, **said):
    return capture(finger, CaptureSettings(**{"quality": "fair", "width": 256, "height": 256, **said}), rng(seed))


def alike(one, other):
    return float(np.corrcoef(one.asperities.flatten(), other.asperities.flatten())[0, 1])


def test_variation_passes_from_the_fingers_habit_to_the_captures_own_chance(finger):
    alikes = [alike(*(taken(finger, seed, variation=v) for seed in (1, 2))) for v in (0.0, 0.5, 1.0)]
    assert alikes[0] == pytest.approx(1) and 0.2 < alikes[1] < 0.9 and abs(alikes[2]) < 0.1


def test_about_unit_variance(finger):
    assert 0.5 < float(torch.stack([taken(finger, seed, quality="good").asperities for seed in range(4)]).std()) < 1.6


def test_dry_ridges_break_and_wet_valleys_close(finger):
    """Share of ridge that does not touch, and of valley that does."""
    shares = {}
    for skin in ("dry", "wet"):
        pressed = taken(finger, skin=skin, pressure="normal")
        area, inside = touch([pressed]).area[0], pressed.contact > 0.99
        ridge, valley = inside & (pressed.ridges > 0.5), inside & (pressed.ridges < -0.5)
        shares[skin] = float((area[ridge] < 0.3).float().mean()), float((area[valley] > 0.3).float().mean())
    assert shares["dry"][0] > 3 * shares["wet"][0] and shares["wet"][1] > 3 * shares["dry"][1]


def test_valleys_of_rough_skin_stay_free(finger):
    """Roughness breaks ridges; it does not strew the valleys with as many spots."""
    broken, strewn = [], []
    for seed in range(1, 5):
        pressed = taken(finger, seed, pressure="normal")
        area, inside = touch([pressed]).area[0], pressed.contact > 0.99
        broken.append(float((area[inside & (pressed.ridges > 0.5)] < 0.3).float().mean()))
        strewn.append(float((area[inside & (pressed.ridges < -0.5)] > 0.5).float().mean()))
    assert np.mean(broken) > 0.05 and np.mean(strewn) < 0.5 * np.mean(broken)


def test_sizes_are_those_of_skin_at_any_resolution(finger):
    """Bumps of asperities have half the width in pixels at half the resolution (width at half of the correlation)."""

    def width(ppi, side):
        plane = taken(finger, ppi=ppi, width=side, height=side).asperities.numpy()
        spectrum = np.abs(np.fft.fft2(plane - plane.mean())) ** 2
        correlation = np.fft.fftshift(np.fft.ifft2(spectrum).real)
        return np.sqrt((ndimage.label(correlation > correlation.max() / 2)[0] > 0).sum())

    assert width(1000, 512) == pytest.approx(2 * width(500, 256), rel=0.25)
