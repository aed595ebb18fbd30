"""Guidance: the reader's gradient is the gradient, and moves the clean latent by what Tweedie's formula says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from fpsynth.diffusion.codec import KLCodec, load_codec
from fpsynth.diffusion.denoiser.guidance import moved
from fpsynth.diffusion.sample import sample
from fpsynth.diffusion.schedule import Schedule, tangent_schedule
from fpsynth.diffusion.settings import Settings
from fpsynth.errors import UserError
from fpsynth.reader.guide import Guiding, angle_of, guiding_of
from fpsynth.reader.reader import save_reader
from tests.diffusion.conftest import bundle, model, tiny_autoencoder  # noqa: F401
from tests.diffusion.test_sample import request
from tests.reader.test_reader import WORDS, untrained

DDIM = Settings(seed=3, steps=12, scheduler="ddim")
WANTED = [{"sensor": "ink", "skin": "wet"}, {"sensor": "optical", "skin": None}]


@pytest.fixture
def guiding(model):  # noqa: F811
    return Guiding(untrained(), model.codec, model.schedule)


def log_share(guiding, z, t, slot, words):
    """Sum over the images of the log probability of their words."""
    scores = guiding.reader.network(guiding.codec.sketch(z), angle_of(guiding.schedule, t.view(1)).expand(len(z)))
    shares = scores[slot].log_softmax(1)
    return sum(shares[k, WORDS[slot].index(word)] for k, word in enumerate(words) if word)


def test_the_gradient_is_the_slope_of_the_log_probability(guiding):
    z, t = torch.randn(2, 4, 32, 32, generator=torch.Generator().manual_seed(0)), torch.tensor(300)
    slope = guiding.towards(WANTED, {"sensor": 2.0, "skin": 0.5})(z, z, t)
    along = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        sides = [
            2 * log_share(guiding, at, t, "sensor", ("ink", "optical"))
            + log_share(guiding, at, t, "skin", ("wet", None)) / 2
            for at in (z + 0.02 * along, z - 0.02 * along)
        ]
    assert float((slope * along).sum()) == pytest.approx(float(sides[0] - sides[1]) / 0.04, rel=0.02)


def test_nothing_is_wanted_of_a_slot_that_is_open_or_not_guided(guiding):
    z, t = torch.randn(2, 4, 32, 32), torch.tensor(300)
    slope = guiding.towards(WANTED, {"skin": 1.0, "sensor": 0.0})(z, z, t)
    assert slope[0].abs().max() > 0
    assert slope[1].abs().max() == 0


def test_a_strength_of_0_is_no_guidance(model, guiding):  # noqa: F811
    asked = [request(1), request(2)]
    free = sample(model, DDIM, asked)
    told = sample(model, DDIM, asked, [guiding.towards(WANTED, {"sensor": 0.0})])
    for one, other in zip(free, told, strict=True):
        assert np.abs(one.image.astype(int) - other.image).max() <= 1


@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon", "sample"])
def test_the_score_is_moved_by_the_gradient(prediction):
    """s times the gradient is what epsilon loses (ADM, algorithm 2)."""
    schedule, t = tangent_schedule(prediction), torch.tensor(400)
    z, output, push = (torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(k)) for k in range(3))
    after = moved(lambda z, t: output, lambda z, x0, t: push, schedule)(z, t)
    s = schedule.scales(t.view(1))[1]
    assert torch.allclose(schedule.split(z, after, t)[1], schedule.split(z, output, t)[1] - s * push, atol=1e-5)


def test_guidance_stays_bounded_where_all_is_noise():
    schedule = Schedule.of(
        dict(DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction").config)
    )
    t, z = torch.tensor(999), torch.randn(1, 4, 8, 8)
    after = moved(lambda z, t: torch.zeros_like(z), lambda z, x0, t: torch.ones_like(z), schedule)(z, t)
    assert after.abs().max() < 10


def test_guided_images_are_read_more_as_the_words(model, guiding):  # noqa: F811
    asked = [request(1), request(2)]
    words = [{"sensor": "ink", "skin": "wet"}] * 2
    free = sample(model, DDIM, asked)
    guided = sample(model, DDIM, asked, [guiding.towards(words, {"sensor": 40.0})])
    read = [guiding.reader.read([one.image for one in made]).shares["sensor"][:, 1] for made in (free, guided)]
    assert (read[1] > read[0]).all()


def test_a_guided_batch_gives_what_each_gives_alone(model, guiding):  # noqa: F811
    asked = [request(1), request(2)]
    together = sample(model, DDIM, asked, [guiding.towards(WANTED, {"sensor": 5.0})])
    for k in range(2):
        alone = sample(model, DDIM, asked[k : k + 1], [guiding.towards(WANTED[k : k + 1], {"sensor": 5.0})])[0]
        assert np.abs(alone.image.astype(int) - together[k].image).max() <= 1


def test_a_reader_of_another_models_latents_is_refused(model, tmp_path):  # noqa: F811
    """A model directory may hold one of its own."""
    with pytest.raises(UserError, match="the bundled reader learnt the latents of another model"):
        guiding_of(model, "cpu", tmp_path)
    save_reader(tmp_path / "reader", untrained())
    with pytest.raises(UserError, match=f"{tmp_path / 'reader'} learnt the latents of another model"):
        guiding_of(model, "cpu", tmp_path)
    save_reader(tmp_path / "reader", replace(untrained(), codec=model.codec.digest))
    assert guiding_of(model, "cpu", tmp_path).reader.words == WORDS


def test_a_codec_is_the_same_in_every_number_format(tmp_path):
    KLCodec(tiny_autoencoder()).save(tmp_path)
    formats = (torch.float32, torch.bfloat16, torch.float16)
    assert len({load_codec(tmp_path, "cpu", dtype).digest for dtype in formats}) == 1
