"""The adapters stage: a style adapter and its image encoder on a model that stays as it is."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from diffusers import DDIMScheduler
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import save_file
from torch import nn

from fpsynth.diffusion.bundle import ADAPTER, adapter_state
from fpsynth.diffusion.model import Model, load_model
from fpsynth.diffusion.parts import Size, build_image_encoder
from fpsynth.training.adapter import adapter_parameters, attach, fix_biases
from fpsynth.training.batches import CropSettings, DropSettings, check_grid
from fpsynth.training.data import Bank, BankSettings, encode_bank
from fpsynth.training.denoiser import DenoiserJob, Lessons
from fpsynth.training.diffuse import Diffusion
from fpsynth.training.group_norm import fast_group_norm
from fpsynth.training.loop import LoopSettings, choose_place, fit
from fpsynth.training.network import Network
from fpsynth.training.preview import Preview

Say = Callable[[str], None]


class AdapterSettings(BaseModel):
    """A recipe of this stage. fresh: begin with a new adapter and image encoder; else go on with the model's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["adapters"]
    bank: Path | BankSettings = Field(default_factory=BankSettings)
    model: Path
    fresh: bool = False
    crops: CropSettings = CropSettings()
    drop: DropSettings = DropSettings(style=0.05)
    loop: LoopSettings


def run_adapters(settings: AdapterSettings, bank: Bank, out: Path, device: str, say: Say) -> None:
    """Train, and write out/model/: a copy of the model with the new adapter and image encoder."""
    model = load_model(settings.model, "cpu", dtype=torch.float32)
    check_grid(model.factor, settings.crops.size, len(model.unet.config.block_out_channels))
    diffusion = Diffusion(DDIMScheduler.from_config(model.schedule).alphas_cumprod)
    source = encode_bank(bank, model.vae, device, say)
    network, learning = _network(model, settings)
    lessons = Lessons(source, diffusion, settings.loop, settings.crops, settings.drop)
    place = choose_place(settings.loop.precision, device)
    for module in (network.controlnet, network.text_encoder):
        freeze(module)
        module.to(place.device, place.dtype)
    preview = Preview(source, diffusion, model.vae, torch.arange(999, 0, -125))
    fit(DenoiserJob(network, learning, lessons, preview), settings.loop, out, device, say)
    _write(settings.model, out / "model", network)
    say(f"model: {out / 'model'}")


def _network(model: Model, settings: AdapterSettings) -> tuple[Network, dict[str, nn.Module]]:
    """The model's parts with nothing but the adapter and the image encoder free to learn."""
    encoder = model.image_encoder
    if settings.fresh:
        torch.manual_seed(settings.loop.seed)
        encoder = build_image_encoder(Size(context=model.unet.config.cross_attention_dim))
        attach(model.unet, encoder.config.projection_dim)
    freeze(model.unet)
    for parameter in adapter_parameters(model.unet):
        parameter.requires_grad_(True)
    fix_biases(model.unet)
    encoder.requires_grad_(True)
    fast_group_norm(model.unet)
    network = Network(model.unet, model.controlnet, model.text_encoder, model.tokenizer, encoder)
    return network, {"unet": model.unet, "image_encoder": encoder}


def freeze(module: nn.Module) -> None:
    """No gradients for this module's weights."""
    module.requires_grad_(False).eval()


def _write(model: Path, target: Path, network: Network) -> None:
    """Only the adapter and its encoder are new; every other file is the model's own."""
    shutil.copytree(model, target, dirs_exist_ok=True)
    adapter = {key: value.half().contiguous() for key, value in adapter_state(network.unet).items()}
    save_file(adapter, target / ADAPTER)
    network.image_encoder.half().save_pretrained(target / "image_encoder")
