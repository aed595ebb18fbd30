"""A spoof is cast of the very same capture: its print differs, its truth does not."""

import numpy as np
import pytest
import torch

from fpsynth.extractor.mindtct import available
from fpsynth.finger import make_finger
from fpsynth.gate import judge
from fpsynth.impression import CaptureSettings, capture, capture_all
from fpsynth.impression.material import MATERIALS
from fpsynth.sensor import draw_device, render
from fpsynth.slots import liveness, words_of

SPOOFS = [word for word in words_of("material") if word != "live"]


def rng(seed):
    return np.random.Generator(np.random.PCG64(seed))


@pytest.fixture(scope="module")
def finger():
    return make_finger(rng(5), "whorl", 2)


def taken(finger, material, seed=3, **asked):
    return capture(finger, CaptureSettings(material=material, **asked), rng(seed))


def test_every_word_is_a_material():
    assert tuple(MATERIALS) == words_of("material")
    assert [liveness({"material": word}) for word in MATERIALS] == ["bona fide"] + ["attack"] * len(SPOOFS)
    assert liveness({}) == liveness({"material": None}) == "bona fide"


def test_captures_follow_the_word():
    assert CaptureSettings.saying({"material": "latex"}, 512, 512, 500).material == "latex"
    assert CaptureSettings.saying({"material": None}, 512, 512, 500) == CaptureSettings()


@pytest.mark.parametrize("material", SPOOFS)
def test_a_spoof_is_of_the_very_same_touch(finger, material):
    ours, theirs = rng(3), rng(3)
    live, spoof = (
        capture(finger, CaptureSettings(material=m), chance) for m, chance in (("live", ours), (material, theirs))
    )
    assert ours.bit_generator.state == theirs.bit_generator.state, "casting takes no draw of the capture"
    drawn = ("dx_mm", "dy_mm", "rotation_deg", "pressure", "moisture", "torsion_deg", "width_mm")
    assert all(live.parameters[name] == spoof.parameters[name] for name in drawn)
    assert torch.equal(live.wear, spoof.wear)
    assert not torch.equal(live.detail, spoof.detail) and not torch.equal(live.contact, spoof.contact)
    at = np.array([(m.x, m.y) for m in live.minutiae])
    off = [np.hypot(*(at - (m.x, m.y)).T).min() for m in spoof.minutiae]
    assert len(off) >= 0.6 * len(at)
    assert np.mean(np.array(off) < 12) > 0.9, "the cast shrinks or spreads by some percent, no more"


@pytest.mark.parametrize("material", SPOOFS)
def test_planes_stay_in_their_ranges(finger, material):
    spoof = taken(finger, material, skin="wet")
    for name, low in {"ridges": -1, "contact": 0, "pressure": 0, "moisture": -1, "wear": 0}.items():
        plane = getattr(spoof, name)
        assert plane.dtype == torch.float32 and plane.shape == (512, 512)
        assert low - 1e-4 <= plane.min() and plane.max() <= 1 + 1e-4


def test_a_batch_of_materials_is_each_alone(finger):
    settings = [CaptureSettings(material=word, width=256, height=256) for word in MATERIALS]
    batch = capture_all([finger] * len(settings), settings, [rng(i) for i in range(len(settings))])
    for i, one in enumerate(batch):
        alone = capture(finger, settings[i], rng(i))
        assert torch.equal(one.contact, alone.contact) and torch.equal(one.ridges, alone.ridges)
        assert one.minutiae == alone.minutiae


@pytest.mark.parametrize("material", ["gelatine", "play-doh"])
def test_no_variation_is_the_same_spoof_again(finger, material):
    one, other = (taken(finger, material, seed, variation=0.0) for seed in (1, 2))
    assert torch.equal(one.contact, other.contact) and torch.equal(one.moisture, other.moisture)


def test_spoofs_lose_pores_and_a_printed_finger_its_pressure(finger):
    live, gum, print_ = (taken(finger, word) for word in ("live", "gelatine", "2-D print"))
    inside = (live.contact > 0.9) & (gum.contact > 0.9)
    assert gum.detail[inside].std() < 0.7 * live.detail[inside].std()
    assert gum.moisture.mean() > live.moisture.mean() + 0.1
    assert print_.pressure.std() < 1e-4 < live.pressure.std()


@pytest.mark.skipif(not available(), reason="the extra 'judges' is not installed")
@pytest.mark.parametrize("material", SPOOFS)
def test_mindtct_finds_the_truth_in_spoofs(finger, material):
    def recall(word):
        prints = [taken(finger, word, seed, quality="good") for seed in range(3)]
        greys = [render(one, draw_device("optical", rng(7)), rng(9)).numpy() for one in prints]
        pairs = zip(greys, prints, strict=True)
        return np.mean([judge(grey, one.minutiae, one.contact.numpy(), 500).recall for grey, one in pairs])

    assert recall(material) >= 0.9 * recall("live")
