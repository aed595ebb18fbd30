"""Guidance by a print: the gradient is that of the embedding's cosine, and moves images towards the print or away."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fpsynth.diffusion.codec import load_codec
from fpsynth.embedding.embedder import load_embedder
from fpsynth.embedding.guide import UNIT, match_of
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.model_folder import default_model
from fpsynth.rng import Stream, generator
from fpsynth.sensor import draw_device, render


def taken(number: int, side: int = 384) -> np.ndarray:
    finger = make_finger(generator(5, Stream.FINGER, number), "whorl")
    rng = generator(5, Stream.CAPTURE, number)
    return render(
        capture(finger, CaptureSettings(width=side, height=side), rng), draw_device("optical", rng), rng
    ).numpy()


@pytest.fixture(scope="module")
def match():
    codec = load_codec(default_model() / "vae", "cpu", torch.float32)
    return match_of(load_embedder(), codec, taken(0), 1.0)


def signed(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None, None].float() / 127.5 - 1


def test_the_cosine_that_guides_is_the_one_that_is_told(match):
    with torch.no_grad():
        guides = [float(match._cosines(signed(taken(number)))) for number in range(3)]
    assert guides == pytest.approx([match.cosine(taken(number), 500) for number in range(3)], abs=0.03)
    assert guides[0] > 0.97 > 0.6 > max(guides[1:])


@pytest.mark.parametrize("strength", [1.0, -0.5])
def test_the_gradient_is_the_slope_of_the_cosine(match, strength):
    x0 = match.codec.encode(signed(taken(1)))
    slope = replace(match, strength=strength)(torch.zeros_like(x0), x0, torch.tensor(300))
    along = slope / slope.norm()
    with torch.no_grad():
        sides = [float(match._cosines(match.codec.sketch(x0 + by * along))) for by in (0.02, -0.02)]
    assert float((slope * along).sum()) == pytest.approx(25 * UNIT * strength * (sides[0] - sides[1]), rel=0.1)


def test_every_image_of_a_batch_has_its_own_gradient(match):
    x0 = match.codec.encode(torch.cat([signed(taken(number)) for number in (1, 2)]))
    together = match(x0, x0, torch.tensor(300))
    alone = torch.cat([match(one[None], one[None], torch.tensor(300)) for one in x0])
    for one, other in zip(together, alone, strict=True):  # the pose that the embedding looks from carries rounding on
        assert (one - other).norm() < 0.1 * other.norm()
