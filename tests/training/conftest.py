"""A bank, an encoder and a model for all tests of this folder, each made once."""

import pytest

from fpsynth.diffusion.codec import KLCodec
from fpsynth.training.denoiser import run_denoiser
from fpsynth.training.latents import encode_bank
from tests.training.tiny import QUIET, denoiser_settings, quiet, wave_autoencoder, wave_bank


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="session")
def bank(home):
    return wave_bank(home / "bank")


@pytest.fixture(scope="session")
def vae(home, bank):
    return wave_autoencoder(bank, home / "encoder")


@pytest.fixture(scope="session")
def source(bank, vae):
    return encode_bank(bank, KLCodec(vae), "cpu", quiet)


@pytest.fixture(scope="session")
def model(home, bank, vae):
    """The model directory of a denoiser that has learnt the waves for a moment."""
    run_denoiser(denoiser_settings(home), bank, home / "denoiser", "cpu", QUIET)
    return home / "denoiser" / "model"
