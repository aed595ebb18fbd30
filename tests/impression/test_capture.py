"""Captures: one map moves ridges and truth; the knobs of the settings do what they say."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture, capture_all
from fpsynth.slots import words_of
from tests.impression import vortex

PLAIN = CaptureSettings()


def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def formula():
    return vortex.finger()


@pytest.fixture(scope="module")
def grown():
    return make_finger(rng(5), "left_loop")


def same(a, b):
    return all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
        for x, y in ((getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    )


def vortex_near(ridges, x, y):
    """Where the phase of the ridges has its vortex, read from the image alone: the zero of the analytic signal.

    The analytic signal comes from a one-sided filter of the image (ridges run about level here).
    """
    height = ridges.shape[0]
    fy = np.fft.fftfreq(height)[:, None]
    spectrum = np.fft.fft2(ridges) * (fy > 0.03)
    signal = np.fft.ifft2(spectrum)
    top, left = round(y) - 6, round(x) - 6
    smooth = ndimage.zoom(np.abs(signal[top : top + 13, left : left + 13]), 8, order=3, grid_mode=False)
    row, col = np.unravel_index(smooth.argmin(), smooth.shape)
    return left + col * 12 / (smooth.shape[1] - 1), top + row * 12 / (smooth.shape[0] - 1)


@pytest.mark.parametrize("seed", range(4))
def test_minutiae_move_with_the_ridges(formula, seed):
    still = capture(formula, replace(PLAIN, variation=0.0, quality="excellent"), rng(0))
    moved = capture(formula, replace(PLAIN, quality="excellent"), rng(seed))
    angles = {m.angle for m in formula.minutiae}
    assert len(still.minutiae) == len(angles)
    assert len(moved.minutiae) >= 3
    for shot in (still, moved):
        for m in shot.minutiae:
            x, y = vortex_near(shot.ridges.numpy().astype(float), m.x, m.y)
            assert np.hypot(x - m.x, y - m.y) < 0.8


@pytest.mark.parametrize("acquisition", words_of("acquisition"))
def test_flow_leads_back_to_the_master_minutiae(grown, acquisition):
    shot = capture(grown, replace(PLAIN, acquisition=acquisition), rng(11))
    assert shot.minutiae
    master = np.array([(m.x, m.y) for m in grown.minutiae])
    flow = shot.flow.numpy().transpose(2, 0, 1)
    for m in shot.minutiae:
        back = [ndimage.map_coordinates(f, [[m.y], [m.x]], order=1)[0] for f in flow]
        assert np.hypot(*(master - back).T).min() < 0.05


def test_angles_turn_with_the_local_motion(grown):
    shot = capture(grown, PLAIN, rng(3))
    flow = shot.flow.numpy().transpose(2, 0, 1)

    def back(x, y):
        return np.array([ndimage.map_coordinates(f, [[y], [x]], order=1)[0] for f in flow])

    for m in shot.minutiae:
        c, s = np.cos(np.radians(m.angle)), -np.sin(np.radians(m.angle))
        step = back(m.x + 4 * c, m.y + 4 * s) - back(m.x - 4 * c, m.y - 4 * s)
        here = back(m.x, m.y)
        source = min(grown.minutiae, key=lambda g: (g.x - here[0]) ** 2 + (g.y - here[1]) ** 2)
        turned = np.degrees(np.arctan2(-step[1], step[0])) - source.angle
        assert abs((turned + 180) % 360 - 180) < 2.0
        assert m.kind == source.kind


def test_rotation_is_counter_clockwise(grown):
    for seed in (1, 3, 7):
        shot = capture(grown, PLAIN, rng(seed))
        col, row = (round(255.5 + shot.parameters[k] / 25.4 * 500) for k in ("dx_mm", "dy_mm"))
        x, y = (shot.flow[row, col + 40] - shot.flow[row, col - 40]).tolist()
        assert abs(np.degrees(np.arctan2(y, x)) - shot.parameters["rotation_deg"]) < 4
        assert abs(shot.parameters["rotation_deg"]) > 4.5


@pytest.mark.parametrize("variation", [1.0, 2.5])
def test_map_is_invertible_everywhere(formula, variation):
    for seed in range(12):
        flow = capture(formula, CaptureSettings(width=256, height=256, ppi=250, variation=variation), rng(seed)).flow
        across, down = flow[:-1, 1:] - flow[:-1, :-1], flow[1:, :-1] - flow[:-1, :-1]
        area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
        assert area.min() > 0.3 * 4
        assert area.max() < 2.0 * 4


@pytest.mark.parametrize("quality", words_of("quality"))
def test_no_variation_is_the_same_capture_again(grown, quality):
    still = replace(PLAIN, variation=0.0, quality=quality)
    assert same(capture(grown, still, rng(1)), capture(grown, still, rng(2)))


def test_same_seed_same_capture_other_seed_another(grown):
    one = capture(grown, PLAIN, rng(1))
    assert same(one, capture(grown, PLAIN, rng(1)))
    assert not torch.equal(one.ridges, capture(grown, PLAIN, rng(2)).ridges)


def test_a_capture_is_the_same_alone_and_in_a_batch(grown, formula):
    fingers = [grown, formula, grown, grown, formula]
    settings = [
        replace(PLAIN, acquisition=a, quality=q, variation=v)
        for a, q, v in zip(words_of("acquisition"), words_of("quality"), (0.0, 0.5, 1.0, 1.0, 2.0), strict=True)
    ]
    batch = capture_all(fingers, settings, [rng(i) for i in range(5)])
    for i, shot in enumerate(batch):
        assert same(shot, capture(fingers[i], settings[i], rng(i)))


def test_captures_of_different_sizes_are_no_batch(grown):
    with pytest.raises(ValueError, match="one size"):
        capture_all([grown] * 2, [PLAIN, replace(PLAIN, width=256)], [rng(0), rng(1)])


def test_variation_spreads_placement(grown):
    def spread(variation):
        shots = [
            capture(grown, CaptureSettings(width=128, height=128, ppi=125, variation=variation), rng(s))
            for s in range(16)
        ]
        return np.std([s.parameters["dx_mm"] for s in shots]), np.std([s.parameters["pressure"] for s in shots])

    small, usual = spread(0.3), spread(1.0)
    assert small[0] == pytest.approx(0.3 * usual[0])
    assert 0 < small[1] < usual[1]
    assert 1 < usual[0] < 4


def test_truth_only_in_contact_and_frame(grown):
    for acquisition in words_of("acquisition"):
        shot = capture(grown, replace(PLAIN, acquisition=acquisition, quality="fair"), rng(4))
        inner = ndimage.uniform_filter(shot.contact.numpy(), 9, mode="constant") > 0.6
        assert all(inner[round(m.y), round(m.x)] for m in shot.minutiae)
        assert all(1 <= m.quality <= 100 for m in shot.minutiae)
        assert 4 < len(shot.minutiae) < len(grown.minutiae)


def test_singular_points_out_of_contact_are_left_out(formula):
    shot = capture(formula, replace(PLAIN, variation=0.0), rng(0))
    assert [s.kind for s in shot.singular] == ["core"]
    assert abs(shot.singular[0].x - 255.5) < 4


def mean_area(grown, **asked):
    return np.mean([capture(grown, replace(PLAIN, **asked), rng(s)).parameters["contact_mm2"] for s in range(6)])


def test_areas_are_in_the_order_of_the_acquisitions(grown):
    partial, plain, slap, rolled = (mean_area(grown, acquisition=a) for a in ("partial", "plain", "slap", "rolled"))
    assert 70 < partial < 0.7 * plain
    assert 180 < plain < slap < rolled
    assert 480 < rolled < 26.1**2
    assert mean_area(grown, acquisition="latent") < 0.75 * plain


def test_pressure_word_moves_area_and_pressure(grown):
    light, firm = mean_area(grown, pressure="light"), mean_area(grown, pressure="firm")
    assert light < 0.85 * firm
    one, other = (capture(grown, replace(PLAIN, pressure=p), rng(0)).pressure.mean() for p in ("light", "firm"))
    assert one + 0.2 < other


def test_skin_word_moves_moisture(grown):
    dry, normal, wet = (
        capture(grown, replace(PLAIN, skin=s), rng(0)).moisture.mean() for s in ("dry", "normal", "wet")
    )
    assert dry < normal - 0.3 < wet - 0.6


def test_quality_word_lowers_the_truth_quality(grown):
    def legible(quality):
        shots = [capture(grown, replace(PLAIN, quality=quality), rng(s)) for s in range(6)]
        return np.mean([m.quality for s in shots for m in s.minutiae])

    means = [legible(q) for q in words_of("quality")]
    assert means == sorted(means, reverse=True)
    assert means[0] > 85
    assert means[-1] < 65


def test_planes_stay_in_their_ranges(grown):
    for seed, quality in enumerate(words_of("quality")):
        shot = capture(
            grown, CaptureSettings(width=320, height=448, ppi=500, acquisition="slap", quality=quality), rng(seed)
        )
        for name, low in {"ridges": -1, "contact": 0, "pressure": 0, "moisture": -1, "wear": 0}.items():
            plane = getattr(shot, name)
            assert plane.shape == (448, 320)
            assert plane.dtype == torch.float32
            assert plane.min() >= low
            assert plane.max() <= 1
        assert shot.flow.shape == (448, 320, 2)


def test_resolution_scales_the_same_capture(grown):
    full = capture(grown, CaptureSettings(width=511, height=511, ppi=500), rng(7))
    double = capture(grown, CaptureSettings(width=1021, height=1021, ppi=1000), rng(7))
    gap = (double.flow[::2, ::2] - full.flow).abs().max()
    assert gap < 0.1
    near = {(round(m.x), round(m.y)) for m in full.minutiae}
    shared = [m for m in double.minutiae if any(np.hypot(m.x / 2 - x, m.y / 2 - y) < 1.5 for x, y in near)]
    assert len(shared) > 0.8 * len(full.minutiae)
