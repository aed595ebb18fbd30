"""What the finger is put on shows in the capture and in its control planes: a sweep displaces skin, droplets lie by."""

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from fpsynth.conditioning.planes import control_planes
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture, capture_all


def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def finger():
    return make_finger(rng(5), "left_loop")


def taken(finger, sensor, seed=1, **said):
    return capture(finger, CaptureSettings(quality="excellent", sensor=sensor, **said), rng(seed))


def touch_of(print_):
    return control_planes(print_, ["touch"])[0]


def away_from(print_, other):
    return (touch_of(print_) - touch_of(other)).abs()


def test_a_sweep_slips_in_patches(finger):
    """Most skin lies as it does without one, or a pixel beside it; in patches it is another picture."""
    shares, patches = [], []
    for seed in range(6):
        swept, still = (taken(finger, sensor, seed) for sensor in ("thermal", "optical"))
        inside = (still.contact > 0.99)[:, :-1]
        near = torch.minimum(
            (swept.ridges - still.ridges).abs()[:, :-1], (swept.ridges[:, :-1] - still.ridges[:, 1:]).abs()
        )
        slipped = (near > 0.5) & inside
        shares.append(float(slipped.sum() / inside.sum()))
        blocks = slipped[:480, :480].float().reshape(15, 32, 15, 32).mean((1, 3))
        patches.append(float(blocks.max() / blocks.mean().clamp_min(1e-6)))
        assert swept.minutiae == still.minutiae and torch.equal(swept.contact, still.contact)
    assert 0.005 < np.mean(shares) < 0.2 and np.median(patches) > 4


def test_strips_are_displaced_as_one(finger):
    """Along a row all of the skin outside slipped patches moves alike: some captures have rows a pixel off."""
    off = []
    for seed in range(6):
        swept, still = (taken(finger, sensor, seed) for sensor in ("thermal", "optical"))
        there, beside = (
            (swept.ridges[:, :-1] - still.ridges[:, shift : 511 + shift]).abs().median(1).values for shift in (0, 1)
        )
        assert float(torch.minimum(there, beside).max()) < 0.2
        off.append(float((beside < there).float().mean()))
    assert max(off) > 0.3 and min(off) < 0.05


def test_droplets_lie_beside_the_contact_and_are_touched(finger):
    near, far = [], []
    for seed in range(6):
        seen, unseen = (taken(finger, sensor, seed) for sensor in ("capacitive", "optical"))
        assert torch.equal(seen.ridges, unseen.ridges) and not unseen.droplets.any()
        outside, close = seen.contact < 0.01, max_pool2d(seen.contact[None], 31, 1, 15)[0] > 0.5
        more = touch_of(seen) - touch_of(unseen)
        assert float(more.min()) >= 0 and float(more[outside & close].max()) > 0.3
        near.append(float(more[outside & close].mean()))
        far.append(float(more[outside & ~close].mean()))
    assert np.mean(near) > 3 * np.mean(far)


@pytest.mark.parametrize("sensor", ["thermal", "capacitive"])
def test_no_variation_is_the_same_again_and_another_chance_another(finger, sensor):
    one, other = (taken(finger, sensor, seed, variation=0.0) for seed in (1, 2))
    assert torch.equal(touch_of(one), touch_of(other))
    assert float(away_from(taken(finger, sensor, 1), taken(finger, sensor, 2)).mean()) > 0.01


def test_a_batch_of_sensors_is_each_alone(finger):
    settings = [CaptureSettings(width=256, height=256, ppi=250, sensor=s) for s in ("thermal", None, "capacitive")]
    together = capture_all([finger] * 3, settings, [rng(i) for i in range(3)])
    for number, (print_, asked) in enumerate(zip(together, settings, strict=True)):
        assert torch.equal(touch_of(print_), touch_of(capture(finger, asked, rng(number))))


def test_droplets_are_as_large_at_any_resolution(finger):
    """Share of the surface beside the contact that they cover."""
    shares = []
    for ppi in (500, 1000):
        side = 512 * ppi // 500
        prints = [taken(finger, "capacitive", seed, width=side, height=side, ppi=ppi) for seed in range(4)]
        shares.append(float(torch.stack([one.droplets for one in prints]).mean()))
    assert shares[1] == pytest.approx(shares[0], rel=0.35)
