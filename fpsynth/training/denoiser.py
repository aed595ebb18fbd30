"""The denoiser stage: U-Net, ControlNet, text encoder and style adapter together, from scratch, on latents."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor, nn

from fpsynth.diffusion.bundle import adapter_state, check_weights, save_bundle
from fpsynth.diffusion.parts import Parts, Size, build_parts, build_schedule
from fpsynth.errors import UserError
from fpsynth.training.adapter import attach, base_state
from fpsynth.training.batches import Batch, CropSettings, DropSettings, check_grid, draw_batch
from fpsynth.training.data import Bank, BankSettings, LatentBank, encode_bank
from fpsynth.training.diffuse import Diffusion, stratified_times
from fpsynth.training.group_norm import fast_group_norm
from fpsynth.training.loop import LoopSettings, fit, step_generator
from fpsynth.training.network import Network
from fpsynth.training.preview import Preview

Say = Callable[[str], None]
SHIFT = 3.0
"""Of the times that are learnt: towards much noise."""
BLOCKS: Mapping[int, float] = {1: 1.0, 8: 4.0, 32: 8.0}
"""Multiscale loss: the blocks' sides in latent pixels, and their weights."""


class DenoiserSettings(BaseModel):
    """A recipe of this stage. widths: channels of the U-Net, one a level; the last two levels attend."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["denoiser"]
    bank: Path | BankSettings = Field(default_factory=BankSettings)
    autoencoder: Path = Field(description="folder of a diffusers AutoencoderKL: its encoder gives the latents")
    widths: tuple[Annotated[PositiveInt, Field(multiple_of=64)], ...] = Field(default=(64, 64, 128, 128), min_length=2)
    heads: PositiveInt = 2
    control_start: float = Field(default=0.02, ge=0, description="deviation of the ControlNet's output weights")
    crops: CropSettings = CropSettings()
    drop: DropSettings = DropSettings()
    loop: LoopSettings


@dataclass(frozen=True)
class Lessons:
    """Where batches come from: a bank of latents, and what is cut off and left out of it."""

    source: LatentBank
    diffusion: Diffusion
    loop: LoopSettings
    crops: CropSettings
    drop: DropSettings

    def draw(self, step: int) -> tuple[Batch, Tensor, torch.Generator]:
        """The batch of a step, noise for its latents, and the step's generator for what else is drawn."""
        generator = step_generator(self.loop.seed, step)
        size, count = self.crops.at(step, self.loop.steps, self.loop.batch)
        batch = draw_batch(self.source, generator, count, size, self.drop)
        return batch, torch.randn(batch.latents.shape, generator=generator), generator


class DenoiserJob:
    """Predict the velocity of noisy latents (Salimans & Ho 2022) under planes, prompt and, with an adapter, style."""

    def __init__(
        self, network: Network, learning: Mapping[str, nn.Module], lessons: Lessons, preview: Preview | None = None
    ) -> None:
        self.modules, self._network, self._lessons, self._preview = learning, network, lessons, preview

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        batch, noise, generator = self._lessons.draw(step)
        diffusion = self._lessons.diffusion
        t = stratified_times(generator, len(noise), diffusion.steps, SHIFT)
        z, target = diffusion.noisy(batch.latents, noise, t), diffusion.velocity(batch.latents, noise, t)
        words = self._network.words(batch)
        z, times = z.to(device), t.to(device)
        v = self._network.velocity(z, times, words, self._network.control(z, times, words, batch))
        error = v - target.to(device)
        each = error.detach().square().mean((1, 2, 3))
        return multiscale(error), by_time(each.cpu(), t, diffusion.steps)

    def grid(self) -> Tensor | None:
        return None if self._preview is None else self._preview(self._network)


def multiscale(error: Tensor) -> Tensor:
    """Mean square of an error (B, C, h, w) averaged over blocks of several sizes.

    Pixel by pixel alone, what is slow in an image (background, shade) hardly counts beside the ridges and is learnt
    last (the multiscale loss of Hoogeboom et al., simple diffusion, 2023).
    """
    fitting = {side: weight for side, weight in BLOCKS.items() if side <= min(error.shape[2:])}
    return torch.stack([w * F.avg_pool2d(error, side).square().mean() for side, w in fitting.items()]).sum()


def by_time(each: Tensor, t: Tensor, steps: int) -> dict[str, float]:
    """Mean error at little, middling and much noise, where a batch has samples of it."""
    third = (t * 3 // steps).clamp(max=2)
    names = ("little_noise", "middling_noise", "much_noise")
    return {name: float(each[third == i].mean()) for i, name in enumerate(names) if bool((third == i).any())}


def run_denoiser(settings: DenoiserSettings, bank: Bank, out: Path, device: str, say: Say) -> None:
    """Train, and write out/model/, a model directory."""
    check_autoencoder(settings.autoencoder)
    vae = AutoencoderKL.from_pretrained(settings.autoencoder)
    source = encode_bank(bank, vae, device, say)
    check_grid(source.factor, settings.crops.size, len(settings.widths))
    parts = new_parts(settings, source)
    schedule = build_schedule()
    lessons = Lessons(source, Diffusion(schedule.alphas_cumprod), settings.loop, settings.crops, settings.drop)
    for module in (parts.unet, parts.controlnet):
        fast_group_norm(module)
    preview = Preview(source, lessons.diffusion, vae, torch.arange(999, 0, -125))
    fit(DenoiserJob(network_of(parts), learning_parts(parts), lessons, preview), settings.loop, out, device, say)
    base = plain_unet(parts.unet)
    save_bundle(out / "model", replace(parts, unet=base), vae.cpu(), schedule, adapter_state(parts.unet))
    say(f"model: {out / 'model'}")


def check_autoencoder(folder: Path) -> None:
    """Raises UserError unless the folder holds one, DamagedFile for weights that cannot be read."""
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: no autoencoder there; `fpsynth train autoencoder` makes one")
    check_weights(folder / "diffusion_pytorch_model.safetensors")


def new_parts(settings: DenoiserSettings, source: LatentBank) -> Parts:
    """Untrained parts, with a style adapter in the U-Net and a ControlNet that speaks from the start.

    From scratch there is nothing that the ControlNet could spoil, so its outputs need not begin at zero.
    """
    torch.manual_seed(settings.loop.seed)
    parts = build_parts(Size(settings.widths, heads=settings.heads), source.channels, source.factor)
    attach(parts.unet, parts.image_encoder.config.projection_dim)
    for conv in control_outputs(parts.controlnet):
        nn.init.normal_(conv.weight, std=settings.control_start)
    return parts


def control_outputs(controlnet: ControlNetModel) -> list[nn.Conv2d]:
    """The convolutions that a ControlNet begins with at zero."""
    outputs = [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]
    return [*outputs, controlnet.controlnet_cond_embedding.conv_out]


def network_of(parts: Parts) -> Network:
    """The parts as a network that takes style."""
    return Network(parts.unet, parts.controlnet, parts.text_encoder, parts.tokenizer, parts.image_encoder)


def learning_parts(parts: Parts) -> dict[str, nn.Module]:
    """Everything that this stage trains."""
    return {
        "unet": parts.unet,
        "controlnet": parts.controlnet,
        "text_encoder": parts.text_encoder,
        "image_encoder": parts.image_encoder,
    }


def plain_unet(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A copy of a U-Net without its adapter."""
    config = {key: value for key, value in unet.config.items() if key != "encoder_hid_dim_type"}
    plain = UNet2DConditionModel.from_config(config)
    plain.load_state_dict(deepcopy(base_state(unet)))
    return plain
