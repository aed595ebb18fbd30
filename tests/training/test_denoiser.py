"""The denoiser on a bank of waves: it learns, leaves a model, and heeds what is dropped."""

import json
from dataclasses import replace

import pytest
import torch

from fpsynth.diffusion.denoiser.unet import UnetSettings
from fpsynth.diffusion.denoiser.unet.adapter import attach, base_state, is_adapter, plain_unet
from fpsynth.diffusion.denoiser.unet.build import build_image_encoder
from fpsynth.diffusion.model import load_model
from fpsynth.errors import UserError
from fpsynth.model_folder import PLANES, default_model, knows
from fpsynth.slots import SLOTS, words_of
from fpsynth.training.batches import DropSettings, draw_batch
from fpsynth.training.data import Bank, BankSettings, Labels, add_images
from fpsynth.training.denoiser import run_denoiser
from fpsynth.training.denoiser.denoiser import new_model, trained_on
from fpsynth.training.denoiser.job import BLOCKS, multiscale
from fpsynth.training.denoiser.looks import Looks
from fpsynth.training.loop import step_generator
from tests.training.tiny import QUIET, denoiser_settings, loop, wave_bank, waves


def test_learns_and_leaves_a_model_that_loads(home, model):
    lines = (home / "denoiser" / "metrics.jsonl").read_text().splitlines()
    curve = [json.loads(line)["loss"] for line in lines]
    assert curve[-1] < 0.75 * curve[0]
    loaded = load_model(model, dtype=torch.float32)
    assert loaded.codec.factor == 4
    assert loaded.denoiser.channels == 4


def test_the_model_is_the_moving_average(home, model):
    """final/ holds the average in float32; the model the same in float16."""
    from safetensors.torch import load_file

    checkpoint = load_file(home / "denoiser" / "checkpoint.safetensors")
    loaded = dict(load_model(model, dtype=torch.float32).denoiser.controlnet.named_parameters())
    for name, weight in load_file(home / "denoiser" / "final" / "controlnet.safetensors").items():
        assert torch.equal(weight, checkpoint[f"average/controlnet.{name}"])
        assert torch.equal(weight.half().float(), loaded[name])


@pytest.fixture
def denoiser(home):
    return new_model(denoiser_settings(home)).denoiser


def test_zero_style_is_the_base_model(denoiser, source):
    """An embedding of zeros must change nothing, whatever the adapter's weights are."""
    batch = draw_batch(source, step_generator(0, 0), 2, 64, DropSettings(style=1.0), denoiser.planes)
    with torch.no_grad():
        for name, weight in denoiser.unet.named_parameters():
            if is_adapter(name) and weight.requires_grad:
                weight.add_(torch.randn(weight.shape))
        told = denoiser.tell(batch.conditions)
        t, z = torch.tensor([500, 20]), torch.randn(batch.latents.shape)
        down, mid = denoiser.control(told, z, t)
        styled = denoiser.predict(told, z, t, (down, mid))
        added = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
        plain = plain_unet(denoiser.unet)(z, t, told.text, **added).sample
    assert torch.allclose(styled, plain, atol=1e-5)
    assert not any(is_adapter(name) for name in base_state(denoiser.unet))


def test_dropped_control_silences_the_planes(denoiser, source):
    batch = draw_batch(source, step_generator(0, 0), 4, 64, DropSettings(control=0.5), denoiser.planes)
    assert 0 < int(batch.conditions.heard.sum()) < 4
    with torch.no_grad():
        told = denoiser.tell(batch.conditions)
        down, mid = denoiser.control(told, batch.latents, torch.tensor([1, 2, 3, 4]))
    for residual in (*down, mid):
        heard = residual.abs().amax((1, 2, 3)) > 0
        assert heard.tolist() == batch.conditions.heard.tolist()


def test_attach_follows_the_stock_order(denoiser):
    """The n-th pair belongs to the n-th cross-attention of unet.attn_processors and starts as its text's."""
    attach(denoiser.unet, 128)
    for name, processor in denoiser.unet.attn_processors.items():
        if hasattr(processor, "to_k_ip"):
            text = denoiser.unet.get_submodule(name.removesuffix(".processor")).to_k.weight
            assert torch.equal(processor.to_k_ip[0].weight, text)


def test_style_images_are_encoded_alike_alone_and_together(denoiser, source):
    batch = draw_batch(source, step_generator(0, 0), 3, 64, DropSettings(style=0.5))
    with torch.no_grad():
        alone = denoiser.tell(batch.conditions).style
    together = denoiser.tell(batch.conditions).style
    assert not together.requires_grad and torch.allclose(alone, together, atol=1e-5)
    assert (alone.abs().sum((1, 2)) > 0).tolist() == batch.conditions.styled[:, 0].tolist()


def test_multiscale_loss_counts_what_is_slow():
    """An error of the blocks' means counts by how far it reaches; one of another coefficient counts once."""
    even, nothing = torch.ones(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    alternating = even * (-1) ** (torch.arange(32)[:, None] + torch.arange(32))
    assert float(multiscale(alternating)) == 1 + BLOCKS[1]
    assert float(multiscale(even)) == 1 + sum(BLOCKS.values())
    assert float(multiscale(even[..., :8, :8])) == 1 + BLOCKS[1] + BLOCKS[4]
    assert float(multiscale(torch.cat([nothing, even], 1))) == 1 / 2


class Greys:
    """Noise of 64 fingers, each on one of eight devices of grey levels of their own."""

    labels = tuple(Labels(identity=i, device=i % 8, words={}) for i in range(64))

    def __len__(self):
        return len(self.labels)

    def image(self, index):
        noise = torch.randn(64, 64, generator=step_generator(7, index))
        return (40 + 24 * (index % 8) + 20 * noise).clamp(0, 255).to(torch.uint8)

    def partner(self, index, generator):
        return (index + 8 * int(torch.randint(1, 8, (1,), generator=generator))) % 64


@pytest.mark.slow
def test_the_image_encoder_learns_to_tell_devices_apart():
    torch.manual_seed(0)
    encoder = build_image_encoder(UnetSettings())
    looks, adam = Looks(encoder, Greys(), seed=0), torch.optim.Adam(encoder.parameters(), 1e-3)
    right = []
    for step in range(50):
        loss, figures = looks.loss(step, torch.device("cpu"), torch.float32)
        adam.zero_grad()
        loss.backward()
        adam.step()
        right.append(figures["right"])
    assert sum(right[-5:]) / 5 > 0.9, right


def described(bank, content):
    """The bank with a description of another one."""
    told = json.loads((bank.folder / "store.json").read_text())
    (bank.folder / "store.json").write_text(json.dumps(told | {"settings": content}))
    return Bank(bank.folder)


def test_a_model_knows_the_words_and_the_resolution_of_its_bank(tmp_path):
    """Of your own: what images bear, and their mirror images. Of a render also what has a share, or a sensor gives."""
    bank = wave_bank(tmp_path)
    own = trained_on(("ridge",), bank)
    assert own.ppi == (500,) and own.planes == ("ridge",)
    assert own.slots["sensor"] == ("optical", "ink") and own.slots["pattern"] == ("left_loop", "right_loop")
    assert own.slots["surface"] == () and own.slots["skin"] == ("normal",)
    fine = trained_on((), described(bank, BankSettings(ppi=1000, sensor={"ink": 1.0, "latent": 0.0}).content()))
    assert fine.ppi == (1000,) and fine.slots["surface"] == ("card",) and fine.slots["technique"] == ()
    assert fine.slots["skin"] == ("normal", "dry", "wet")


def test_a_model_of_the_usual_bank_knows_all_words_that_need_no_teaching(tmp_path):
    images, planes, labels = waves()
    labels[0] = replace(labels[0], words=labels[0].words | {"sensor": "latent", "acquisition": "latent"})
    add_images(tmp_path, images, planes, labels)
    usual = described(Bank(tmp_path), BankSettings().content())
    assert trained_on(PLANES, usual).slots == {slot: words_of(slot) for slot in SLOTS}
    assert trained_on(PLANES, usual).slots == knows(default_model()).slots


def test_a_run_begins_with_a_finished_model(home, bank, model, tmp_path):
    little = loop(1).model_copy(update={"learning_rate": 1e-7})
    run_denoiser(denoiser_settings(home, loop=little, start=model), bank, tmp_path / "on", "cpu", QUIET)
    before, after = (load_model(m, dtype=torch.float32).denoiser.parts for m in (model, tmp_path / "on" / "model"))
    for name, part in before.items():
        for key, weight in part.state_dict().items():
            assert torch.allclose(weight, after[name].state_dict()[key], atol=2e-4), (name, key)
    other = denoiser_settings(home, loop=little, start=model, network={"kind": "unet", "widths": (64, 128)})
    with pytest.raises(UserError, match="is a model of another network"):
        run_denoiser(other, bank, tmp_path / "other", "cpu", QUIET)
