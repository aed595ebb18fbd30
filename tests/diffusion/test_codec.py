"""The cosine transform as a codec: against scipy's and diffusers' own encoder; exact both ways; noise stays white."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from scipy import stats
from scipy.fft import dctn

from fpsynth.diffusion.codec import KLCodec
from fpsynth.diffusion.codec.block_transform import DEVIATION, MEAN, block_dct
from fpsynth.diffusion.codec.closed_form import read_encoder, write_encoder
from fpsynth.diffusion.noise import Node, NoiseSource, Sharing
from fpsynth.errors import UserError
from fpsynth.training.autoencoder import AutoencoderSettings, new_autoencoder

LOSSLESS = {"transform": "dct", "block_out_channels": (16, 16, 64, 144), "latent_channels": 64}


def autoencoder(**changes):
    settings = AutoencoderSettings(stage="autoencoder", loop={"steps": 1, "batch": 1}, **LOSSLESS | changes)
    return new_autoencoder(settings, torch.zeros(1, 1, 16, 16))


@pytest.fixture(scope="module")
def vae():
    return autoencoder()


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 1, 64, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_the_coefficients_are_scipys(images):
    latents = block_dct(8).encode(images)[0, :, 3, 5].sort().values
    block = (images[0, 0, 24:32, 40:48].numpy() - MEAN) / DEVIATION
    assert np.allclose(latents, np.sort(dctn(block, norm="ortho").flatten()), atol=1e-5)


def test_the_first_coefficient_is_the_mean_and_frequencies_rise():
    ramp = torch.linspace(-1, 1, 64).expand(1, 1, 64, 64)
    first = block_dct(8).encode(ramp)[0, 0] * DEVIATION / 8 + MEAN
    assert torch.allclose(first, F.avg_pool2d(ramp, 8)[0, 0], atol=1e-5)
    fine = torch.ones(1, 1, 8, 8)
    fine[..., 1::2, :] *= -1
    fine[..., 1::2] *= -1
    assert int(block_dct(8).encode(fine - MEAN)[0, :, 0, 0].abs().argmax()) == 63


def test_diffusers_encodes_alike_and_we_decode_exactly(vae, images, tmp_path):
    KLCodec(vae).save(tmp_path)
    stock = AutoencoderKL.from_pretrained(tmp_path, dtype=torch.float32)
    codec = KLCodec(stock)
    with torch.no_grad():
        theirs = stock.encode(images).latent_dist.mode() * stock.config.scaling_factor
    assert torch.allclose(codec.encode(images), theirs, rtol=1e-3, atol=1e-3)
    assert (codec.decode(codec.encode(images)) - images).abs().max() < 1e-4
    assert (codec.quick, codec.grain, codec.factor, codec.channels) == (True, 1, 8, 64)


def test_a_transform_that_loses_something_is_not_lossless():
    few = autoencoder(transform="pca", block_out_channels=(16, 32, 64), latent_channels=4)
    codec, noise = KLCodec(few), torch.randn(1, 4, 8, 8)
    assert (codec.quick, codec.grain) == (True, 4)
    assert torch.equal(codec.white(noise), noise)


def test_a_cosine_transform_keeps_everything_or_is_refused():
    with pytest.raises(UserError, match="it needs 64 latent_channels"):
        autoencoder(latent_channels=16)


def test_white_noise_stays_white(vae):
    noise = torch.randn(1, 1, 1024, 1024, generator=torch.Generator().manual_seed(2))
    turned = KLCodec(vae).white(noise)[0].flatten(1)
    assert stats.kstest(turned[:, ::16].flatten().numpy(), "norm").pvalue > 1e-3
    gram = turned @ turned.T / turned.shape[1]
    assert (gram - torch.eye(64)).abs().max() < 5 / turned.shape[1] ** 0.5
    assert turned.square().sum() == pytest.approx(float(noise.square().sum()), rel=1e-3)


def test_shared_noise_moves_by_single_pixels(vae):
    """An impression that lies 3 pixels farther has the same noise 3 pixels farther: less than a latent cell."""
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    flow = torch.stack([x + 40, y + 40], -1)
    one, other = (
        NoiseSource(
            Node(seed=1, identity=2, impression=i, attempt=0, flow=flow + 3 * i, master=(256, 256)),
            Sharing(2, 4), (1, 128, 128), KLCodec(vae).grain,
        ).start()
        for i in (0, 1)
    )  # fmt: skip
    assert torch.equal(one[:, 3:, 3:], other[:, :-3, :-3])


def test_an_encoder_written_for_another_shape_is_refused(vae):
    with pytest.raises(UserError, match="pixels a cell"):
        write_encoder(vae, block_dct(4))
    transform = read_encoder(vae)
    assert transform is not None and transform.lossless


def test_gradients_flow_after_a_first_decoding_without_them(vae, images):
    codec = KLCodec(vae)
    with torch.inference_mode():
        latents = codec.encode(images)
        codec.decode(latents)
    free = latents.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(codec.sketch(free).sum(), free)
    assert gradient[:, 0].abs().min() > 0
