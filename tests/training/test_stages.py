"""Denoiser, adapters and distillation on a bank of waves: they learn, go on where they were cut, and leave a model."""

import json

import pytest
import torch

from fpsynth.diffusion.model import load_model
from fpsynth.training.adapter import attach, base_state, is_adapter
from fpsynth.training.adapters import AdapterSettings, run_adapters
from fpsynth.training.batches import CropSettings, DropSettings, draw_batch
from fpsynth.training.denoiser import DenoiserSettings, network_of, new_parts, run_denoiser
from fpsynth.training.distill import DistillSettings, run_distill
from fpsynth.training.latents import encode_bank
from fpsynth.training.loop import step_generator
from tests.training.tiny import loop, wave_autoencoder, wave_bank

CROPS = CropSettings(size=64, whole_from=1.0)
STEPS = 30


def quiet(text):
    pass


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def bank(home):
    return wave_bank(home / "bank")


@pytest.fixture(scope="module")
def vae(home, bank):
    return wave_autoencoder(bank, home / "encoder")


@pytest.fixture(scope="module")
def source(bank, vae):
    return encode_bank(bank, vae, "cpu", quiet)


def denoiser_settings(home, **changes):
    usual = {"stage": "denoiser", "autoencoder": home / "encoder", "widths": (64, 64), "crops": CROPS}
    return DenoiserSettings(**usual | {"loop": loop(STEPS)} | changes)


@pytest.fixture(scope="module")
def model(home, bank, vae):
    run_denoiser(denoiser_settings(home), bank, home / "denoiser", "cpu", quiet)
    return home / "denoiser" / "model"


def losses(folder):
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_denoiser_learns_and_leaves_a_model_that_loads(home, model):
    curve = losses(home / "denoiser")
    assert curve[-1] < 0.75 * curve[0]
    loaded = load_model(model, dtype=torch.float32)
    assert loaded.factor == 4
    assert loaded.unet.config.in_channels == 4


def test_denoiser_resumes_with_the_same_weights(home, bank, model):
    cut = home / "cut"
    run_denoiser(denoiser_settings(home, loop=loop(STEPS, checkpoint_minutes=1e-9)), bank, cut, "cpu", quiet)
    (cut / "final").rename(cut / "first")
    for name in ("controlnet", "text_encoder", "image_encoder", "unet"):
        whole, again = (home / "denoiser" / "final", cut / "first")
        assert (whole / f"{name}.safetensors").read_bytes() == (again / f"{name}.safetensors").read_bytes()


def test_zero_style_is_the_base_model(home, source):
    """An embedding of zeros must change nothing, whatever the adapter's weights are."""
    parts = new_parts(denoiser_settings(home), source)
    network = network_of(parts)
    batch = draw_batch(source, step_generator(0, 0), 2, 64, DropSettings(style=1.0), True)
    with torch.no_grad():
        for name, weight in parts.unet.named_parameters():
            if is_adapter(name) and weight.requires_grad:
                weight.add_(torch.randn(weight.shape))
        words = network.words(batch)
        t, z = torch.tensor([500, 20]), torch.randn(batch.latents.shape)
        residuals = network.control(z, t, words, batch)
        styled = network.velocity(z, t, words, residuals)
        parts.unet.unload_ip_adapter() if hasattr(parts.unet, "unload_ip_adapter") else None
        from fpsynth.training.denoiser import plain_unet

        plain = plain_unet(parts.unet)
        out = plain(
            z, t, words.text, down_block_additional_residuals=residuals[0], mid_block_additional_residual=residuals[1]
        )[0]
    assert torch.allclose(styled, out, atol=1e-5)
    assert not any(is_adapter(name) for name in base_state(parts.unet))


def test_dropped_control_silences_the_planes(home, source):
    network = network_of(new_parts(denoiser_settings(home), source))
    batch = draw_batch(source, step_generator(0, 0), 4, 64, DropSettings(control=0.5), False)
    assert 0 < int(batch.control.sum()) < 4
    with torch.no_grad():
        words = network.words(batch)
        down, mid = network.control(batch.latents, torch.tensor([1, 2, 3, 4]), words, batch)
    for residual in (*down, mid):
        heard = residual.abs().amax((1, 2, 3)) > 0
        assert heard.tolist() == batch.control.tolist()


def test_adapters_change_the_adapter_alone(home, bank, model):
    settings = AdapterSettings(stage="adapters", model=model, fresh=True, crops=CROPS, loop=loop(5))
    run_adapters(settings, bank, home / "adapters", "cpu", quiet)
    after = home / "adapters" / "model"
    for part in ("unet", "controlnet", "vae", "text_encoder"):
        for path in (model / part).glob("*.safetensors"):
            assert path.read_bytes() == (after / part / path.name).read_bytes()
    for part in ("ip_adapter/ip_adapter.safetensors", "image_encoder/model.safetensors"):
        assert (model / part).read_bytes() != (after / part).read_bytes()
    load_model(after, dtype=torch.float32)


@pytest.mark.parametrize(("method", "rank"), [("phased", 0), ("lcm", 0), ("phased", 4)])
def test_distill_leaves_a_student_that_loads(home, bank, model, method, rank):
    settings = DistillSettings(model=model, name="quick", method=method, rank=rank, crops=CROPS, loop=loop(3))
    run_distill(settings, model, bank, home / f"{method}{rank}", "cpu", quiet)
    folder = home / f"{method}{rank}" / "model"
    base = load_model(folder, dtype=torch.float32)
    student = load_model(folder, student="quick", dtype=torch.float32)
    pairs = zip(base.unet.parameters(), student.unet.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)
    assert (folder / "students" / "quick" / "scheduler" / "scheduler_config.json").exists()


def test_attach_follows_the_stock_order(home, source):
    """The n-th pair belongs to the n-th cross-attention of unet.attn_processors and starts as its text's."""
    parts = new_parts(denoiser_settings(home), source)
    attach(parts.unet, 128)
    for name, processor in parts.unet.attn_processors.items():
        if hasattr(processor, "to_k_ip"):
            text = parts.unet.get_submodule(name.removesuffix(".processor")).to_k.weight
            assert torch.equal(processor.to_k_ip[0].weight, text)
