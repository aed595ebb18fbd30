"""Fingers against judges that the generator does not know: a structure-tensor Poincare index, NIST mindtct, counts."""

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from fpsynth.errors import UserError
from fpsynth.finger import MASTER_HEIGHT, MASTER_WIDTH, make_finger, make_fingers
from fpsynth.vocabulary import PATTERNS

EXPECTED = {"tented_arch": (1, 1), "left_loop": (1, 1), "right_loop": (1, 1), "whorl": (2, 2), "double_loop": (2, 2)}


@pytest.fixture(scope="module")
def fingers():
    return {p: make_finger(np.random.default_rng(100 + i), p) for i, p in enumerate(PATTERNS)}


def estimated_orientation(image, sigma):
    """Averaged squared gradients (Kass & Witkin): the orientation of the ridges, from the picture alone."""
    gy, gx = np.gradient(ndimage.gaussian_filter(image, 1.5))
    xx, yy, xy = (ndimage.gaussian_filter(p, sigma) for p in (gx * gx, gy * gy, gx * gy))
    return 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2


def poincare(theta, step=8, reach=2):
    """Clusters of index +1/2 and -1/2 on a coarse grid: (cores, deltas)."""
    t = theta[::step, ::step]
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
    turned = [np.roll(t, (-dy * reach, -dx * reach), (0, 1)) for dy, dx in ring]
    index = sum((b - a + np.pi / 2) % np.pi - np.pi / 2 for a, b in itertools.pairwise(turned)) / np.pi
    index[:4], index[-4:], index[:, :4], index[:, -4:] = 0, 0, 0, 0
    return ndimage.label(np.abs(index - 1) < 0.4)[1], ndimage.label(np.abs(index + 1) < 0.4)[1]


@pytest.mark.parametrize("pattern", list(EXPECTED))
def test_class_can_be_counted_in_the_picture(fingers, pattern):
    wave = fingers[pattern].ridges.numpy()[40:600, 20:556]
    cores, deltas = poincare(estimated_orientation(wave, 11))
    close_cores = pattern in ("whorl", "double_loop")  # two cores nearer than the window count as one
    assert cores == EXPECTED[pattern][0] or (close_cores and cores in (1, 2))
    assert deltas == EXPECTED[pattern][1]


def test_an_arch_has_neither(fingers):
    wave = fingers["arch"].ridges.numpy()[40:600, 20:556]
    assert poincare(estimated_orientation(wave, 11)) == (0, 0)


def test_loops_open_to_their_side(fingers):
    for pattern, side in (("left_loop", 1), ("right_loop", -1)):
        core, delta = (next(s for s in fingers[pattern].singular if s.kind == k) for k in ("core", "delta"))
        assert (delta.x - core.x) * side > 0
        assert delta.y > core.y


def test_planes(fingers):
    for finger in fingers.values():
        assert finger.ridges.shape == finger.detail.shape == (MASTER_HEIGHT, MASTER_WIDTH)
        assert finger.ridges.abs().max() <= 1
        assert 0.44 < (finger.ridges > 0).float().mean() < 0.56
        assert 7 < finger.period.median() < 11.5


def test_orientation_is_that_of_the_ridges(fingers):
    for finger in fingers.values():
        theta = estimated_orientation(finger.ridges.numpy(), 6)
        gap = np.abs((np.pi - theta - finger.orientation.numpy() + np.pi / 2) % np.pi - np.pi / 2)  # y down -> up
        assert np.degrees(np.median(gap[60:560, 60:516])) < 4


def test_period_is_that_of_the_ridges(fingers):
    """Crossings of zero along image columns where ridges run level give the period."""
    for finger in fingers.values():
        band = slice(470, 600)
        wave, period = finger.ridges.numpy()[band, 188:388], finger.period.numpy()[band, 188:388]
        level = np.abs(np.sin(finger.orientation.numpy()[band, 188:388])).mean(0) < 0.2
        if level.sum() < 30:
            continue
        crossings = (np.diff(np.signbit(wave[:, level]), axis=0) != 0).sum(0).mean()
        assert 2 * wave.shape[0] / crossings == pytest.approx(period[:, level].mean(), rel=0.12)


def test_minutiae_density_and_mix(fingers):
    inside = [m for f in fingers.values() for m in f.minutiae if 100 < m.x < 476 and 100 < m.y < 600]
    area_mm2 = 376 * 500 / (500 / 25.4) ** 2 * len(fingers)
    assert 0.15 < len(inside) / area_mm2 < 0.33
    assert 0.35 < np.mean([m.kind == "ending" for m in inside]) < 0.7


def test_same_generator_same_finger():
    a, b, c = (make_finger(np.random.default_rng(s), "whorl") for s in (5, 5, 6))
    assert a.minutiae == b.minutiae and a.ridges.equal(b.ridges) and a.detail.equal(b.detail)
    assert a.minutiae != c.minutiae


def test_a_finger_is_the_same_alone_and_in_a_batch(fingers):
    batch = make_fingers([np.random.default_rng(100 + i) for i in range(len(PATTERNS))], PATTERNS, [0] * len(PATTERNS))
    for finger in batch:
        alone = fingers[finger.pattern]
        assert finger.singular == alone.singular and len(finger.minutiae) == len(alone.minutiae)
        for one, other in zip(finger.minutiae, alone.minutiae, strict=True):
            assert one.kind == other.kind and one[:3] == pytest.approx(other[:3], abs=0.05)
        for plane in ("ridges", "detail", "orientation", "period"):  # to rounding: kernels may depend on the batch
            assert torch.allclose(getattr(finger, plane), getattr(alone, plane), atol=1e-4)


def test_nist_finds_the_minutiae(fingers):
    """mindtct on the bare pattern: position within 12 px and direction within 30 degrees, both kinds."""
    nbis = pytest.importorskip("nbis", exc_type=ImportError)
    settings = nbis.NbisExtractorSettings(
        min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=500.0
    )
    for pattern in ("arch", "right_loop", "whorl"):
        finger = fingers[pattern]
        data = io.BytesIO()
        wave = finger.ridges.numpy()[120:500, 128:448]  # mindtct through nbis gives 150 minutiae at most
        Image.fromarray(((1 - wave) * 127).astype(np.uint8)).save(data, "PNG", dpi=(500, 500))
        found = [
            (p.x() + 128, p.y() + 120, p.angle())
            for p in nbis.new_nbis_extractor(settings).extract_minutiae(data.getvalue()).get()
        ]
        truth = [m for m in finger.minutiae if 150 < m.x < 426 and 142 < m.y < 478]
        hits = [
            any(np.hypot(x - m.x, y - m.y) <= 12 and abs((a - m.angle + 180) % 360 - 180) <= 30 for x, y, a in found)
            for m in truth
        ]
        assert np.mean(hits) >= 0.85


def test_unknown_class_is_refused():
    with pytest.raises(UserError, match="unknown pattern class 'circle'"):
        make_finger(np.random.default_rng(0), "circle")
