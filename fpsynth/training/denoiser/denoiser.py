"""The denoiser stage: a network and all that tells it things together, from scratch, on latents."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, SerializeAsAny, field_validator, model_validator

from fpsynth.console import Console
from fpsynth.diffusion.codec import load_codec
from fpsynth.diffusion.denoiser import BACKBONES, Denoiser
from fpsynth.diffusion.denoiser.unet import UnetSettings
from fpsynth.diffusion.model import Model, load_model, save_model
from fpsynth.diffusion.schedule import tangent_schedule
from fpsynth.errors import UserError
from fpsynth.model_folder import PLANES, Knows
from fpsynth.slots import SLOTS
from fpsynth.training.batches import MIRROR, CropSettings, DropSettings
from fpsynth.training.data import SIZE, Bank, BankSettings
from fpsynth.training.denoiser.job import DenoiserJob
from fpsynth.training.denoiser.lessons import check_grid, lessons_for
from fpsynth.training.denoiser.looks import look_learners
from fpsynth.training.denoiser.preview import Preview
from fpsynth.training.kinds import kind_of
from fpsynth.training.loop import LoopSettings, fast_group_norm, fit


def networks() -> Mapping[str, type[BaseModel]]:
    """The networks that can be asked for, by kind."""
    return {str(b.settings.model_fields["kind"].default): b.settings for b in BACKBONES.values()}


class ScheduleSettings(BaseModel):
    """See fpsynth.diffusion.schedule.tangent_schedule; the defaults suit latents with the sizes of pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shift: PositiveFloat = 2.0
    spread: PositiveFloat = 1.4


class DenoiserSettings(BaseModel):
    """A recipe of this stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["denoiser"]
    bank: Path | BankSettings = Field(default_factory=BankSettings)
    autoencoder: Path | None = Field(
        description="folder of a diffusers AutoencoderKL: its encoder gives the latents; null: that of `start`, with "
        "its network and schedule as they are"
    )
    start: Path | None = Field(default=None, description="a model of this network to begin with; null: random weights")
    network: Annotated[SerializeAsAny[BaseModel], kind_of(networks)] = UnetSettings()
    planes: tuple[str, ...] = PLANES
    prediction: Literal["v_prediction", "epsilon", "sample"] = "sample"
    schedule: ScheduleSettings = ScheduleSettings()
    crops: CropSettings = CropSettings()
    drop: DropSettings = DropSettings()
    loop: LoopSettings

    @field_validator("network")
    @classmethod
    def _whole_heads(cls, network: BaseModel) -> BaseModel:
        if isinstance(network, UnetSettings):
            for width in (*network.widths[-network.attend :], network.context):
                if width % network.heads:
                    raise ValueError(f"heads: {network.heads} do not divide a width of {width}")
        return network

    @model_validator(mode="after")
    def _of_start(self) -> "DenoiserSettings":
        if self.autoencoder is None:
            if self.start is None:
                raise ValueError("autoencoder: null takes that of `start`, which names no model")
            if said := sorted(self.model_fields_set & {"network", "prediction", "schedule"}):
                raise ValueError(f"{said[0]}: is that of `start` where autoencoder is null")
        return self


def run_denoiser(settings: DenoiserSettings, bank: Bank, out: Path, device: str, console: Console) -> None:
    """Train, and write out/model/, a model directory."""
    model = begun_model(settings)
    lessons = lessons_for(model, settings, bank, device, console.note)
    for part in model.denoiser.parts.values():
        fast_group_norm(part)
    preview = Preview(lessons, model.codec)
    learning = {name: part for name, part in model.denoiser.parts.items() if name != "image_encoder"}
    beside = look_learners(model.denoiser.parts, lessons.source.bank, settings.loop.seed)
    job = DenoiserJob(model.denoiser, learning, lessons, preview, beside)
    fit(job, settings.loop, out, device, console)
    save_model(out / "model", model, trained_on(settings.planes, bank))
    console.note(f"model: {out / 'model'}")


def begun_model(settings: DenoiserSettings) -> Model:
    """As it is before it learns. Raises UserError for settings of which no model comes."""
    model = new_model(settings)
    for side in settings.crops.sizes:
        check_grid(side, model.multiple)
    if settings.autoencoder is not None and settings.start is not None:
        _begin_with(model.denoiser, settings.start)
    return model


def _begin_with(denoiser: Denoiser, start: Path) -> None:
    """Take the weights of a finished model. Raises UserError for a model of another network."""
    given = load_model(start, "cpu", dtype=torch.float32).denoiser.parts
    try:
        for name, part in denoiser.parts.items():
            part.load_state_dict(given[name].state_dict())
    except (KeyError, RuntimeError) as error:
        raise UserError(f"start: {start} is a model of another network ({str(error).splitlines()[0]})") from None


def new_model(settings: DenoiserSettings) -> Model:
    """Untrained, on the latents of a trained codec; or the start itself, with what it lacks to be told the planes."""
    if settings.autoencoder is None:
        assert settings.start is not None, "the settings are checked for it"
        torch.manual_seed(settings.loop.seed)
        given = load_model(settings.start, "cpu", dtype=torch.float32, begin=settings.planes)
        return replace(given, finisher=None)
    codec = load_codec(settings.autoencoder, "cpu", torch.float32)
    network: Any = settings.network
    return Model(
        denoiser=network.build(codec.channels, codec.factor, settings.planes, settings.loop.seed),
        codec=codec,
        schedule=tangent_schedule(settings.prediction, settings.schedule.shift, settings.schedule.spread),
    )


def trained_on(planes: tuple[str, ...], bank: Bank) -> Knows:
    """What a model knows after it saw a bank and its mirror images."""
    seen = {slot: words | {MIRROR.get(word, word) for word in words} for slot, words in bank.words.items()}
    slots = {name: tuple(word for word in slot.words if word in seen[name]) for name, slot in SLOTS.items()}
    return Knows(planes=planes, slots=slots, sides=(SIZE,), ppi=(bank.ppi,))
