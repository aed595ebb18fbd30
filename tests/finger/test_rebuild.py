"""Fingers from what is known of them: the same minutiae again, the same ridges, the class that they had."""

import numpy as np
import pytest
import torch

from fpsynth.finger import Drawing, Known, draw_finger, make_finger, rebuild
from fpsynth.finger.singular import find_singular, pattern_of
from fpsynth.impression import CaptureSettings, capture
from fpsynth.vocabulary import PATTERNS
from tests.finger.test_finger import estimated_orientation, poincare

SHIFT = 32, 70


def found(known, rebuilt, inside):
    """Shares of the known minutiae that are there again, and of those inside that nobody knew of."""
    again = [m for m in rebuilt if inside[int(m.y), int(m.x)]]
    near = np.array([[np.hypot(a.x - b.x, a.y - b.y) < 12 and turn(a, b) < 30 for b in again] for a in known])
    return near.any(1).mean(), 1 - near.any(0).mean()


def turn(a, b):
    return abs((a.angle - b.angle + 180) % 360 - 180)


@pytest.fixture(scope="module")
def template():
    """What a template says of a finger: its minutiae in one capture, on a master, and where that touched."""
    impression = capture(make_finger(np.random.default_rng(8), "arch"), CaptureSettings(), np.random.default_rng(9))
    inside = np.zeros((704, 576), bool)
    inside[SHIFT[1] : SHIFT[1] + 512, SHIFT[0] : SHIFT[0] + 512] = impression.contact.numpy() > 0.5
    return tuple(m._replace(x=m.x + SHIFT[0], y=m.y + SHIFT[1]) for m in impression.minutiae), inside


def test_minutiae_grow_again_and_few_others(template):
    minutiae, inside = template
    finger = rebuild(Known(minutiae=minutiae), np.random.default_rng(0))
    recall, spurious = found(minutiae, finger.minutiae, inside)
    assert recall > 0.8 and spurious < 0.35 and len(minutiae) > 20


@pytest.mark.slow
def test_the_same_seed_gives_the_same_finger_and_another_another(template):
    minutiae, _ = template
    first, again, other = (rebuild(Known(minutiae=minutiae), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.ridges, again.ridges) and first.minutiae == again.minutiae
    assert not torch.equal(first.ridges, other.ridges)


def test_trusted_ridges_stay():
    finger = make_finger(np.random.default_rng(3), "whorl")
    trust = torch.zeros(352, 288)
    trust[80:240, 60:220] = 1
    known = Known(minutiae=finger.minutiae, period=9, ridges=finger.ridges[::2, ::2], trust=trust)
    ridges = rebuild(known, np.random.default_rng(0)).ridges[::2, ::2]
    alike = torch.corrcoef(torch.stack([plane[90:230, 70:210].flatten() for plane in (ridges, known.ridges)]))
    assert alike[0, 1] > 0.9


@pytest.mark.parametrize("pattern", PATTERNS)
def test_cores_deltas_and_class_are_read_off_the_orientation(pattern):
    finger = make_finger(np.random.default_rng(40 + PATTERNS.index(pattern)), pattern)
    theta = finger.orientation[::2, ::2]
    read = find_singular(theta, 2, np.ones(theta.shape, bool))
    assert pattern_of(read, theta, 2) == pattern
    assert len(read) == len(finger.singular)
    for point in finger.singular:
        assert min(np.hypot(point.x - p.x, point.y - p.y) for p in read if p.kind == point.kind) < 4


@pytest.mark.parametrize(
    ("cores", "deltas", "pattern"),
    [
        (((288, 290),), ((180, 400),), "right_loop"),
        (((300, 280),), ((400, 400),), "left_loop"),
        (((230, 250), (330, 330)), ((150, 460), (440, 470)), "double_loop"),
        ((), (), "arch"),
    ],
)
def test_cores_and_deltas_lie_where_they_were_placed(cores, deltas, pattern):
    finger = draw_finger(np.random.default_rng(5), Drawing(cores=cores, deltas=deltas), "")
    assert finger.pattern == pattern
    for kind, points in (("core", cores), ("delta", deltas)):
        there = [(p.x, p.y) for p in finger.singular if p.kind == kind]
        assert len(there) == len(points)
        for x, y in points:
            assert min(np.hypot(x - a, y - b) for a, b in there) < 8
    counted = poincare(estimated_orientation(finger.ridges.numpy()[40:600, 20:556], 11))
    assert counted == (len(cores), len(deltas))


def test_a_scar_is_cut_where_it_was_drawn_and_nowhere_else():
    plain = draw_finger(np.random.default_rng(5), Drawing(), "arch")
    scarred = draw_finger(np.random.default_rng(5), Drawing(scars=((200, 200, 300, 320),)), "arch")
    changed = ((plain.detail - scarred.detail).abs() > 0.05).nonzero()
    assert scarred.detail[260, 250] < -0.8
    assert changed.amin(0).min() > 180 and changed[:, 0].max() < 340 and changed[:, 1].max() < 320
