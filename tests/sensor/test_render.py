"""Virtual sensors: what each device's physics must show, and NIST's tools on the renders."""

import numpy as np
import pytest
import torch

from fpsynth.errors import UserError
from fpsynth.extractor.mindtct import available
from fpsynth.finger import make_finger
from fpsynth.gate import judge
from fpsynth.impression import CaptureSettings, capture, capture_all
from fpsynth.sensor import draw_device, render, render_all
from fpsynth.sensor.touch import touch
from fpsynth.slots import words_of

nist = pytest.mark.skipif(not available(), reason="nbis-python is not installed")


def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def finger():
    return make_finger(rng(5), "left_loop")


@pytest.fixture(scope="module")
def pressed(finger):
    """A good capture in the middle of the image."""
    return capture(finger, CaptureSettings(quality="excellent", pressure="normal", variation=0.2), rng(1))


def image_of(impression, sensor, device=3, noise=4):
    return render(impression, draw_device(sensor, rng(device)), rng(noise))


@pytest.mark.parametrize("sensor", words_of("sensor"))
def test_ridges_are_dark(pressed, sensor):
    grey = image_of(pressed, sensor).float()
    inside = pressed.contact > 0.99
    assert grey[inside & (pressed.ridges > 0.6)].mean() < grey[inside & (pressed.ridges < -0.6)].mean() - 8


@pytest.mark.parametrize("sensor", words_of("sensor"))
def test_same_draws_same_bytes(pressed, sensor):
    first = image_of(pressed, sensor)
    assert first.dtype == torch.uint8 and first.shape == (512, 512)
    assert torch.equal(first, image_of(pressed, sensor))
    assert not torch.equal(first, image_of(pressed, sensor, noise=5))


def test_an_image_is_the_same_alone_and_in_a_batch(finger):
    """All kinds together, two devices of each, captures of all qualities."""
    settings = [CaptureSettings(width=256, height=256, ppi=250, quality=words_of("quality")[i % 5]) for i in range(12)]
    prints = capture_all([finger] * 12, settings, [rng(i) for i in range(12)])
    devices = [draw_device(words_of("sensor")[i % 6], rng(i)) for i in range(12)]
    images = render_all(prints, devices, [rng(i) for i in range(12)])
    assert images.dtype == torch.uint8 and images.shape == (12, 256, 256)
    for i, image in enumerate(images):
        assert torch.equal(image, render(prints[i], devices[i], rng(i)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("sensor", words_of("sensor"))
def test_renders_on_a_gpu_look_like_those_on_the_cpu(sensor):
    """The same capture and device; noise differs, so means, spread and what is dark are compared."""
    greys, truths = [], []
    for device in ("cpu", "cuda"):
        finger = make_finger(rng(5), "left_loop", device=device)
        print_ = capture(finger, CaptureSettings(quality="excellent"), rng(1))
        grey = image_of(print_, sensor)
        assert grey.device.type == print_.contact.device.type == device
        greys.append(grey.cpu().float())
        truths.append(print_.minutiae)
    assert len(truths[0]) == pytest.approx(len(truths[1]), abs=3)
    assert greys[0].mean() == pytest.approx(float(greys[1].mean()), abs=10)
    assert np.corrcoef(greys[0].flatten(), greys[1].flatten())[0, 1] > 0.5


@pytest.mark.parametrize("sensor", words_of("sensor"))
def test_devices_differ_more_than_captures(pressed, sensor):
    """Two devices are farther apart in grey level or background than two images of one device."""
    away = pressed.contact < 0.01

    def look(device, noise):
        grey = image_of(pressed, sensor, device, noise).float()
        return np.array([grey[away].mean(), grey[~away].mean(), grey[~away].std()])

    same = np.abs(look(1, 1) - look(1, 2)).max()
    other = max(np.abs(look(1, 1) - look(d, 1)).max() for d in (2, 3, 4))
    assert other > 2 * same and other > 2


def test_backgrounds_are_those_of_the_kind(pressed):
    away = pressed.contact < 0.01
    level = {s: float(image_of(pressed, s).float()[away].mean()) for s in ("optical", "capacitive", "thermal", "ink")}
    assert level["optical"] > 240
    assert 90 < level["capacitive"] < 150
    assert 85 < level["thermal"] < 150
    assert 190 < level["ink"] < 250


def test_thermal_halo_is_white_at_the_tip_and_dark_behind(pressed):
    grey = np.mean([image_of(pressed, "thermal", d).float().numpy() for d in range(8)], 0)
    rows = np.nonzero(pressed.contact.numpy().max(1) > 0.5)[0]
    column = np.nonzero(pressed.contact.numpy()[rows[0] + 4] > 0.5)[0].mean()
    across = slice(int(column) - 25, int(column) + 25)
    ahead = grey[max(rows[0] - 14, 0) : rows[0] - 4, across].mean()
    assert ahead > 1.15 * np.median(grey[pressed.contact.numpy() < 0.001])


def test_capacitive_pattern_belongs_to_the_device(pressed):
    """Columns averaged over untouched rows: the same in every image of a device, another device's are others."""

    def columns(device, noise):
        grey = image_of(pressed, "capacitive", device, noise).float().numpy()
        away = pressed.contact.numpy().max(1) < 0.01
        return np.diff(grey[away].mean(0))  # from column to column: without the bright sides that all devices have

    assert np.corrcoef(columns(1, 1), columns(1, 2))[0, 1] > 0.6
    assert abs(np.corrcoef(columns(1, 1), columns(2, 1))[0, 1]) < 0.3


def test_load_fills_from_crests_to_valleys(finger):
    parameters = {"gain": 5.0, "bias": 0.0, "rough": 0.1, "detail": 1.0}

    def share(skin):
        settings = CaptureSettings(quality="excellent", skin=skin, pressure="normal", variation=0.0)
        print_ = capture(finger, settings, rng(1))
        inside = print_.contact > 0.99
        return float(touch([print_], parameters).area[0, inside].mean())

    assert share("dry") < share("normal") - 0.05 < share("wet") - 0.1


def test_latent_prints_lie_on_their_surface():
    surfaces = words_of("surface")
    assert {draw_device("latent", rng(0), surface).surface for surface in surfaces} == set(surfaces)
    assert draw_device("ink", rng(0)).surface == draw_device("ink", rng(0), "glass").surface == "card"
    assert draw_device("optical", rng(0)).surface is None


@pytest.mark.parametrize("sensor", words_of("sensor"))
def test_being_told_a_surface_moves_no_other_draw(sensor):
    free, told = rng(0), rng(0)
    one, other = draw_device(sensor, free), draw_device(sensor, told, "metal")
    assert (one.parameters, one.seed) == (other.parameters, other.seed)
    assert free.bit_generator.state == told.bit_generator.state


@pytest.mark.parametrize(("sensor", "surface"), [("radar", None), ("latent", "water")])
def test_unknown_words_are_named(sensor, surface):
    with pytest.raises(UserError, match=surface or sensor):
        draw_device(sensor, rng(0), surface)


@nist
@pytest.mark.parametrize("sensor", ["optical", "capacitive", "ink", "thermal"])
def test_mindtct_finds_the_truth(finger, sensor):
    tallies = []
    for seed in range(3):
        print_ = capture(finger, CaptureSettings(quality="good"), rng(seed))
        grey = render(print_, draw_device(sensor, rng(seed)), rng(seed)).numpy()
        tallies.append(judge(grey, print_.minutiae, print_.contact.numpy(), 500))
    assert np.mean([t.recall for t in tallies]) > 0.85
    assert np.mean([t.spurious for t in tallies]) < 0.3


@nist
@pytest.mark.slow
def test_nfiq2_falls_with_the_quality_word():
    import cv2
    import nbis

    settings = nbis.NbisExtractorSettings(
        min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=True, ppi=500.0
    )
    extractor = nbis.new_nbis_extractor(settings)
    fingers = [make_finger(rng(i), "whorl") for i in range(8)]

    def mean(quality):
        scores = []
        for seed, grown in enumerate(fingers):
            grey = image_of(capture(grown, CaptureSettings(quality=quality), rng(seed)), "optical", seed, seed)
            png = cv2.imencode(".png", grey.numpy())[1].tobytes()
            scores.append(extractor.extract_minutiae(png).quality().score)
        return np.mean(scores)

    good, poor, worst = mean("good"), mean("poor"), mean("very poor")
    assert good > poor > worst
    assert good - worst > 12
