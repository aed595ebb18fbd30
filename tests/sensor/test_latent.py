"""Latent prints: every surface and every technique has a look of its own."""

import numpy as np
import pytest
import torch

from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.impression.fields import blur
from fpsynth.sensor import draw_device, render
from fpsynth.sensor.device import Devices
from fpsynth.sensor.latent import SURFACES, TECHNIQUES, bare
from fpsynth.slots import clash, words_of


def rng(seed):
    return np.random.Generator(np.random.PCG64(seed))


def look(grey):
    """Fine and coarser texture in grey levels, and how much more of it runs one way than the other."""
    bands = [grey - blur(grey, 1.2), blur(grey, 1.2) - blur(grey, 4), blur(grey, 4) - blur(grey, 10)]
    levels = [float(band.std().log()) for band in bands]
    gy, gx = torch.gradient(blur(grey, 1.5)[0])
    tensor = torch.stack([gx, gy]).flatten(1)
    low, high = torch.linalg.eigvalsh(tensor @ tensor.T)
    return np.array([*levels, float((high / low).log())])


def test_every_word_has_a_look():
    assert set(SURFACES) == set(words_of("surface")) and set(TECHNIQUES) == set(words_of("technique"))


def test_surfaces_are_told_apart():
    """By the nearest mean of other devices."""
    like = torch.zeros(1, 256, 256)

    def looks(surface, seeds):
        devices = [draw_device("latent", rng(seed), surface) for seed in seeds]
        return [look(bare(like, Devices((device,), like.device))) for device in devices]

    means = {surface: np.mean(looks(surface, range(8)), axis=0) for surface in SURFACES}
    seen = {surface: looks(surface, range(20, 28)) for surface in SURFACES}
    right = [
        surface == min(means, key=lambda s: np.abs(means[s] - one).sum()) for surface in seen for one in seen[surface]
    ]
    assert np.mean(right) >= 0.9


def test_techniques_leave_the_print_and_differ():
    finger = make_finger(rng(5), "whorl", 2)
    print_ = capture(finger, CaptureSettings(width=256, height=256, acquisition="latent"), rng(3))
    devices = [draw_device("latent", rng(4), "plastic", word) for word in TECHNIQUES]
    images = [render(print_, device, rng(9)).float() for device in devices]
    ridge = (print_.contact > 0.9) & (print_.ridges > 0.5)
    valley = (print_.contact > 0.9) & (print_.ridges < -0.5)
    assert all(image[ridge].mean() < image[valley].mean() - 10 for image in images)
    assert all((one - other).abs().mean() > 2 for one in images for other in images if one is not other)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_not_said_goes_with_the_rest(seed):
    free = draw_device("latent", rng(seed))
    assert free.technique and not clash({"surface": free.surface, "technique": free.technique})
    assert draw_device("latent", rng(seed), technique="ninhydrin").surface in ("card", "paper")
    assert draw_device("latent", rng(seed), "glass", "ninhydrin").technique == "ninhydrin", "what is said is followed"
    assert draw_device("optical", rng(seed), "glass", "powder").technique is None
    assert draw_device("ink", rng(seed), None, "cyanoacrylate").surface == "card"
