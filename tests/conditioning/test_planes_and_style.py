import numpy as np
import pytest
import torch
from PIL import Image

from fpsynth.conditioning.planes import control_planes
from fpsynth.conditioning.style import STYLE_SIZE, load_style, style_pixels
from fpsynth.errors import UserError
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.sensor import draw_device, render


def test_planes_of_a_capture():
    finger = make_finger(np.random.default_rng(0), "whorl")
    impression = capture(finger, CaptureSettings(width=256, height=256), np.random.default_rng(1))
    ridge, contact, load, touch = planes = control_planes(impression)
    assert planes.shape == (4, 256, 256) and planes.min() >= 0 and planes.max() <= 1
    nothing = impression.contact < 1e-3
    assert torch.allclose(ridge[nothing], torch.tensor(0.5), atol=1e-3)
    assert torch.stack([contact, load, touch])[:, nothing].max() < 1e-3
    inside = impression.contact > 0.99
    assert np.corrcoef(ridge[inside], impression.ridges[inside])[0, 1] > 0.9


@pytest.mark.parametrize("sensor", ["optical", "capacitive", "thermal", "ink", "latent"])
def test_a_sensor_that_is_touched_shows_what_touches(sensor):
    """Breaks, bridges and pores too, which the ridges do not tell: dry poor skin."""
    finger = make_finger(np.random.default_rng(0), "whorl")
    asked = CaptureSettings(width=256, height=256, quality="poor", skin="dry")
    impression = capture(finger, asked, np.random.default_rng(1))
    grey = render(impression, draw_device(sensor, np.random.default_rng(2)), np.random.default_rng(3)).float()
    inside = impression.contact > 0.9
    ridge, touch = (-np.corrcoef(p[inside], grey[inside])[0, 1] for p in control_planes(impression, ["ridge", "touch"]))
    assert touch > 0.5 and touch > ridge + 0.1


def test_style_pixels():
    image = (torch.rand(300, 260) * 255).to(torch.uint8)
    pixels = style_pixels(image)
    assert pixels.shape == (3, STYLE_SIZE, STYLE_SIZE)
    assert pixels.min() >= -1 and pixels.max() <= 1 and pixels[0].equal(pixels[2])
    assert float(pixels.mean()) == pytest.approx(float(image.float().mean()) / 127.5 - 1, abs=0.05)


def test_style_image_from_disk(tmp_path):
    Image.new("RGB", (40, 30), (200, 200, 200)).save(tmp_path / "a.png")
    assert load_style(tmp_path / "a.png").shape == (30, 40)
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(UserError, match=r"b\.png: not an image"):
        load_style(tmp_path / "b.png")
    with pytest.raises(UserError, match=r"c\.png: style image not found"):
        load_style(tmp_path / "c.png")
