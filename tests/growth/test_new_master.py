"""Masters of other sizes and resolutions are captured like fingertips."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fpsynth.conditioning.planes import control_planes
from fpsynth.errors import UserError
from fpsynth.finger import GROWERS, Master, grow_masters, make_finger
from fpsynth.impression import CaptureSettings, capture, capture_all


def doubled(rngs, patterns, positions, device="cpu") -> list[Master]:
    """Fingertips at 1000 ppi, as another part of the hand."""
    return [
        twice(make_finger(rng, pattern, position, device))
        for rng, pattern, position in zip(rngs, patterns, positions, strict=True)
    ]


def twice(finger):
    planes = torch.stack([finger.ridges, finger.detail, finger.orientation, finger.period * 2])
    ridges, detail, orientation, period = F.interpolate(planes[None], scale_factor=2, mode="bilinear")[0]
    return replace(
        finger,
        ridges=ridges,
        detail=detail,
        orientation=orientation,
        period=period,
        minutiae=tuple(m._replace(x=2 * m.x + 0.5, y=2 * m.y + 0.5) for m in finger.minutiae),
        singular=tuple(s._replace(x=2 * s.x + 0.5, y=2 * s.y + 0.5) for s in finger.singular),
        centre=(2 * finger.centre[0] + 0.5, 2 * finger.centre[1] + 0.5),
        ppi=1000,
        part="doubled",
    )


def rng(seed):
    return np.random.default_rng(seed)


def test_a_new_part_is_one_entry(monkeypatch):
    monkeypatch.setitem(GROWERS, "doubled", doubled)
    [master] = grow_masters([rng(5)], ["whorl"], [0], part="doubled")
    assert (master.part, master.ppi, master.ridges.shape) == ("doubled", 1000, (1408, 1152))
    with pytest.raises(UserError, match="unknown part of the hand 'palm'; known: fingertip, doubled"):
        grow_masters([rng(5)], ["whorl"], [0], part="palm")


def test_the_resolution_of_the_master_does_not_show():
    finger = make_finger(rng(5), "whorl")
    prints = [capture(one, CaptureSettings(variation=1.0), rng(6)) for one in (finger, twice(finger))]
    assert [one.master for one in prints] == [(704, 576), (1408, 1152)]
    assert torch.allclose(2 * prints[0].flow + 0.5, prints[1].flow, atol=1e-2)
    apart = [float((one - two).abs().mean()) for one, two in zip(*map(control_planes, prints), strict=True)]
    assert max(apart) < 0.02
    found = [sorted((m.x, m.y) for m in one.minutiae) for one in prints]
    assert len(found[0]) == len(found[1]) > 20
    assert np.allclose(found[0], found[1], atol=0.1)
    assert np.allclose([m.angle for m in prints[0].minutiae], [m.angle for m in prints[1].minutiae], atol=0.5)


def test_masters_of_one_batch_are_of_one_resolution():
    finger = make_finger(rng(5), "whorl")
    with pytest.raises(ValueError, match="masters"):
        capture_all([finger, twice(finger)], [CaptureSettings()] * 2, [rng(0), rng(1)])
