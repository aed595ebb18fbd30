"""The closed-form encoder against plain matrix products; the stage against itself, cut off and resumed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from pydantic import ValidationError
from torch import Tensor

from fpsynth.diffusion.codec import KLCodec
from fpsynth.diffusion.codec.block_transform import block_pca
from fpsynth.diffusion.codec.closed_form import read_encoder, write_encoder
from fpsynth.errors import UserError
from fpsynth.training.autoencoder import AutoencoderSettings, check_shape, new_autoencoder, run_autoencoder
from fpsynth.training.autoencoder.autoencoder import _begun, reconstruction_loss
from fpsynth.training.loop import LoopSettings, fast_group_norm
from fpsynth.training.loop.group_norm import FastGroupNorm
from tests.training.tiny import QUIET, Cut, cut_at


def waves(count: int, size: int) -> Tensor:
    """Plane waves of ridge-like periods in every direction, with noise; (N, 1, size, size) in [-1, 1]."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:size, :size]
    pictures = []
    for _ in range(count):
        angle, period, phase = rng.uniform(0, np.pi), rng.uniform(6, 12), rng.uniform(0, 6)
        wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period + phase)
        pictures.append(0.2 + 0.6 * wave + 0.05 * rng.standard_normal((size, size)))
    return torch.from_numpy(np.stack(pictures)).float()[:, None].clamp(-1, 1)


class MemoryBank:
    """512 x 512 images in memory, with the methods of a Bank that the stage uses."""

    digest = "memory"

    def __init__(self, images: Tensor) -> None:
        self._images = ((images[:, 0] + 1) * 127.5).round().to(torch.uint8)

    def __len__(self) -> int:
        return len(self._images)

    def image(self, index: int) -> Tensor:
        return self._images[index]

    def image_crop(self, index: int, top: int, left: int, size: int) -> Tensor:
        return self._images[index, top : top + size, left : left + size]


def settings(**loop: object) -> AutoencoderSettings:
    plan = {"steps": 6, "batch": 2, "checkpoint_minutes": 60, "log_every": 2, "grid_every": 6, "warmup": 2, **loop}
    return AutoencoderSettings(stage="autoencoder", loop=LoopSettings(**plan), crop=64, block_out_channels=(8, 16, 32))


@pytest.mark.parametrize(("blocks", "channels"), [((16, 32, 64), 4), ((8, 16, 32, 64), 16), ((8, 32, 64), 6)])
def test_encoder_is_the_principal_component_analysis(blocks: tuple[int, ...], channels: int) -> None:
    images = waves(6, 96)
    config = settings().model_copy(update={"block_out_channels": blocks, "latent_channels": channels})
    vae = new_autoencoder(config, images)
    factor = 2 ** (len(blocks) - 1)
    pixels = images.unfold(2, factor, factor).unfold(3, factor, factor).flatten(4)[:, 0].reshape(-1, factor**2).numpy()
    centred = pixels - pixels.mean(0)
    _, sizes, rows = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    expected = centred @ rows[:channels].T / np.sqrt(sizes[:channels])
    with torch.no_grad():
        posterior = vae.encode(images).latent_dist
    got = posterior.mode().permute(0, 2, 3, 1).reshape(-1, channels).numpy().astype(np.float64)
    expected /= expected.std()
    signs = np.sign((expected * got).sum(0))
    assert np.abs(got - expected * signs).max() < 1e-3
    assert float(posterior.std.max()) < 1e-6


def test_latents_are_centred_and_scaled_to_one() -> None:
    images = waves(6, 96)
    vae = new_autoencoder(settings(), images)
    latents = KLCodec(vae).encode(images)
    assert latents.shape == (6, 4, 24, 24)
    assert latents.mean((0, 2, 3)).abs().max() < 1e-4
    assert float(latents.std()) == pytest.approx(1, abs=0.01)


def test_encoder_survives_saving_and_is_recognised(tmp_path: Path) -> None:
    images = waves(2, 64)
    new_autoencoder(settings(), images).save_pretrained(tmp_path)
    vae = AutoencoderKL.from_pretrained(tmp_path)
    transform = read_encoder(vae)
    assert transform is not None
    with torch.no_grad():
        slow = vae.encode(images).latent_dist.mode() * vae.config.scaling_factor
    assert (KLCodec(vae).encode(images) - slow).abs().max() < 1e-3
    vae.encoder.mid_block.resnets[0].conv2.weight.data[0, 0, 1, 1] = 0.5
    assert read_encoder(vae) is None
    with torch.no_grad():
        changed = vae.encode(images).latent_dist.mode() * vae.config.scaling_factor
    assert torch.equal(KLCodec(vae).encode(images), changed)


def test_half_of_a_picture_keeps_its_latents() -> None:
    images = waves(1, 64)
    vae = new_autoencoder(settings(), images)
    assert torch.allclose(KLCodec(vae).encode(images)[..., 8:], KLCodec(vae).encode(images[..., 32:]), atol=1e-5)


def test_shapes_that_cannot_hold_the_transform_are_refused() -> None:
    images = waves(1, 64)
    narrow = settings().model_copy(update={"latent_channels": 16, "block_out_channels": (8, 16, 24)})
    with pytest.raises(UserError, match="block_out_channels"):
        new_autoencoder(narrow, images)
    with pytest.raises(UserError, match="pixels a cell"):
        write_encoder(new_autoencoder(settings(), images), block_pca(images, 8, 4))


def test_fast_group_norm_has_the_gradients_of_the_slow_one() -> None:
    for channels, groups in ((16, 8), (64, 8)):
        torch.manual_seed(0)
        norm = torch.nn.Sequential(torch.nn.GroupNorm(groups, channels))
        torch.nn.init.normal_(norm[0].weight)
        x = (2 + torch.randn(3, channels, 10, 12)).to(memory_format=torch.channels_last).requires_grad_()
        direction = torch.randn(3, channels, 10, 12)
        slow = torch.autograd.grad(norm(x), (x, *norm.parameters()), direction)
        weight = norm[0].weight
        fast_group_norm(norm)
        assert isinstance(norm[0], FastGroupNorm) and norm[0].weight is weight
        fast = torch.autograd.grad(norm(x), (x, *norm.parameters()), direction)
        for ours, theirs in zip(fast, slow, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_loss_is_error_plus_error_of_gradients() -> None:
    image = torch.zeros(1, 1, 4, 4)
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    loss, figures = reconstruction_loss(ramp, image, 2.0)
    assert float(loss) == pytest.approx(1.5 + 2 * 1.0)
    assert figures["psnr"] == pytest.approx(10 * np.log10(4 / 3.5), abs=1e-4)


def test_a_run_learns_and_leaves_a_loadable_autoencoder(tmp_path: Path) -> None:
    images = waves(8, 512)
    plan = settings(steps=80, batch=8, learning_rate=6e-3, ema=0.9)
    run_autoencoder(plan, MemoryBank(images), tmp_path, "cpu", QUIET)  # type: ignore[arg-type]
    images = images[..., :64, :64]
    vae = AutoencoderKL.from_pretrained(tmp_path / "vae")
    decoded = KLCodec(vae).decode(KLCodec(vae).encode(images)).clamp(-1, 1)
    blocks = F.avg_pool2d(images, 4)
    error = (decoded - images).square().mean()
    assert error < 0.25 * (F.interpolate(blocks, scale_factor=4.0) - images).square().mean()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 80 and lines[-1]["loss"] < 0.5 * lines[0]["loss"]
    assert list((tmp_path / "grids").glob("*.png"))


def test_a_cut_off_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    bank, plan = MemoryBank(waves(4, 512)), settings()

    run_autoencoder(plan, bank, tmp_path / "whole", "cpu", QUIET)  # type: ignore[arg-type]
    often = settings(checkpoint_minutes=1e-9)
    with pytest.raises(Cut):
        run_autoencoder(often, bank, tmp_path / "cut", "cpu", cut_at(4))  # type: ignore[arg-type]
    run_autoencoder(often, bank, tmp_path / "cut", "cpu", QUIET)  # type: ignore[arg-type]
    whole, cut_off = (AutoencoderKL.from_pretrained(tmp_path / run / "vae") for run in ("whole", "cut"))
    for ours, theirs in zip(whole.parameters(), cut_off.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_an_encoder_of_other_settings_or_half_written_is_made_again(tmp_path: Path) -> None:
    bank, folder = MemoryBank(waves(4, 512)), tmp_path / "encoder"

    def digest(**changes: object) -> str:
        return KLCodec(AutoencoderKL.from_pretrained(begun(settings().model_copy(update=changes)))).digest

    def begun(plan: AutoencoderSettings) -> Path:
        return _begun(plan, bank, folder, QUIET)  # type: ignore[arg-type]

    first = digest()
    kept = (folder / "config.json").stat().st_ino
    assert digest(edges=0.5) == first and (folder / "config.json").stat().st_ino == kept
    other = digest(latent_channels=3)
    assert other != first and digest() == first
    shutil.rmtree(folder)
    (tmp_path / ".encoder.partial").mkdir()  # killed in between
    (folder).mkdir()
    (folder / "config.json").write_text("{}")
    assert digest() == first and not (tmp_path / ".encoder.partial").exists()


def test_widths_that_groups_do_not_divide_are_refused() -> None:
    with pytest.raises(UserError, match="block_out_channels: 20 is no multiple of norm_num_groups, 8"):
        check_shape(settings().model_copy(update={"block_out_channels": (20, 32, 64)}))


def test_settings_refuse_unknown_keys() -> None:
    with pytest.raises(ValidationError):
        AutoencoderSettings.model_validate({"stage": "autoencoder", "loop": {"steps": 1, "batch": 1}, "edge": 2})
