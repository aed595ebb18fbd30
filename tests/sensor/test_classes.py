"""Each class seen in the image of a full rolled capture: cores and deltas of an orientation field estimated there.

The field is that of averaged squared gradients (Kass & Witkin, 1987); its singular points are where it winds by half a
turn around a grid cell (Kawagoe & Tojo, "Fingerprint pattern classification", Pattern Recognition 17(3), 1984).
"""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.sensor import draw_device, render
from fpsynth.vocabulary import PATTERNS

FINGERS = 12
"""Of each class."""
SIGMA, STEP = 9.0, 4
NEAR = 34
"""Pixels: a core and a delta closer to each other than this are noise of the estimate."""


def estimated_orientation(grey):
    """(h, w) radians, y down."""
    gy, gx = np.gradient(ndimage.gaussian_filter(grey, 1.5))
    xx, yy, xy = (ndimage.gaussian_filter(p, SIGMA) for p in (gx * gx, gy * gy, gx * gy))
    return 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2


def singular_points(theta, inside):
    """(cores, deltas), each (n, 2) pixels (x, y)."""
    t, ok = theta[::STEP, ::STEP], inside[::STEP, ::STEP]
    corners = [t[:-1, :-1], t[1:, :-1], t[1:, 1:], t[:-1, 1:], t[:-1, :-1]]
    wound = sum((b - a + np.pi / 2) % np.pi - np.pi / 2 for a, b in pairwise(corners)) / -np.pi
    found = [np.argwhere((np.rint(wound) == sign) & ok[:-1, :-1])[:, ::-1] * float(STEP) for sign in (1, -1)]
    return without_pairs(*found)


def without_pairs(cores, deltas):
    """A core and a delta that are close to each other cancel, the closest first."""
    while len(cores) and len(deltas):
        gaps = np.hypot(*(cores[:, None] - deltas[None]).transpose(2, 0, 1))
        c, d = np.unravel_index(gaps.argmin(), gaps.shape)
        if gaps[c, d] > NEAR:
            break
        cores, deltas = np.delete(cores, c, 0), np.delete(deltas, d, 0)
    return cores, deltas


def recognised(cores, deltas):
    """The class by the rules of examiners, or what was counted."""
    if (len(cores), len(deltas)) == (0, 0):
        return "arch"
    if (len(cores), len(deltas)) == (1, 1):
        across, down = deltas[0] - cores[0]
        if abs(across) < 0.3 * down:
            return "tented_arch"
        return "left_loop" if across > 0 else "right_loop"
    if (len(cores), len(deltas)) == (2, 2):
        return "whorl" if np.hypot(*(cores[0] - cores[1])) < 62 else "double_loop"
    return f"{len(cores)} cores, {len(deltas)} deltas"


def seen(pattern, seed):
    finger = make_finger(np.random.default_rng([seed, PATTERNS.index(pattern)]), pattern)
    rng = np.random.default_rng(seed)
    rolled = capture(finger, CaptureSettings(acquisition="rolled", quality="excellent"), rng)
    grey = render(rolled, draw_device("optical", rng), rng).numpy().astype(float)
    inside = ndimage.distance_transform_edt(rolled.contact.numpy() > 0.5) > 26
    inside[:26], inside[-26:], inside[:, :26], inside[:, -26:] = False, False, False, False
    return recognised(*singular_points(estimated_orientation(grey), inside))


@pytest.mark.slow
def test_classes_are_recognised_in_rolled_captures():
    answers = [(pattern, seen(pattern, seed)) for pattern in PATTERNS for seed in range(FINGERS)]
    wrong = [pair for pair in answers if pair[0] != pair[1]]
    assert len(wrong) <= 0.03 * len(answers), wrong
