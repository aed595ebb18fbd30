"""The adapters stage: a style adapter and its image encoder on a U-Net that stays as it is."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from fpsynth.console import Console
from fpsynth.diffusion.denoiser.unet import UnetDenoiser, UnetSettings
from fpsynth.diffusion.denoiser.unet.adapter import adapter_parameters, adapter_state, attach, fix_biases
from fpsynth.diffusion.denoiser.unet.build import build_image_encoder
from fpsynth.diffusion.denoiser.unet.files import save_adapter, style_processor
from fpsynth.diffusion.model import load_model
from fpsynth.errors import UserError
from fpsynth.training.batches import CropSettings, DropSettings
from fpsynth.training.data import Bank, BankSettings
from fpsynth.training.denoiser.job import DenoiserJob
from fpsynth.training.denoiser.lessons import freeze, lessons_for
from fpsynth.training.denoiser.looks import look_learners
from fpsynth.training.denoiser.preview import Preview
from fpsynth.training.loop import LoopSettings, choose_place, fast_group_norm, fit


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


def run_adapters(settings: AdapterSettings, bank: Bank, out: Path, device: str, console: Console) -> None:
    """Train, and write out/model/: a copy of the model with the new adapter and image encoder."""
    model = load_model(settings.model, "cpu", dtype=torch.float32)
    if not isinstance(model.denoiser, UnetDenoiser):
        raise UserError(f"{settings.model}: the adapters stage needs a U-Net")
    lessons = lessons_for(model, settings, bank, device, console.note)
    denoiser, learning = _prepared(model.denoiser, settings)
    place = choose_place(settings.loop.precision, device)
    for name in ("controlnet", "text_encoder"):
        freeze(denoiser.parts[name], place)
    preview = Preview(lessons, model.codec)
    beside = look_learners(denoiser.parts, lessons.source.bank, settings.loop.seed)
    fit(DenoiserJob(denoiser, learning, lessons, preview, beside), settings.loop, out, device, console)
    _write(settings.model, out / "model", denoiser)
    console.note(f"model: {out / 'model'}")


def _prepared(denoiser: UnetDenoiser, settings: AdapterSettings) -> tuple[UnetDenoiser, Mapping[str, nn.Module]]:
    """The denoiser with nothing of its U-Net but the adapter free to learn, and what learns by the denoiser's loss."""
    if denoiser.image_encoder is None and not settings.fresh:
        raise UserError(f"{settings.model}: has no style adapter to go on with; --set fresh=true begins one")
    if settings.fresh:
        torch.manual_seed(settings.loop.seed)
        encoder = build_image_encoder(UnetSettings(context=denoiser.unet.config.cross_attention_dim))
        attach(denoiser.unet, encoder.config.projection_dim)
        denoiser = replace(denoiser, image_encoder=encoder)
    denoiser.unet.requires_grad_(False)
    for parameter in adapter_parameters(denoiser.unet):
        parameter.requires_grad_(True)
    fix_biases(denoiser.unet)
    fast_group_norm(denoiser.unet)
    return denoiser, {"unet": denoiser.unet}


def _write(model: Path, target: Path, denoiser: UnetDenoiser) -> None:
    """Only the adapter and its encoder are new; every other file is the model's own."""
    shutil.copytree(model, target, dirs_exist_ok=True)
    save_adapter(adapter_state(denoiser.unet), target)
    encoder: Any = denoiser.image_encoder
    encoder.half().save_pretrained(target / "image_encoder")
    style_processor(encoder).save_pretrained(target / "feature_extractor")
