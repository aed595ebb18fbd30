"""The adapt stage: a finished model learns one word more, from the user's prints, and forgets nothing over it."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, ValidationInfo, field_validator
from torch import nn

from fpsynth.console import Console
from fpsynth.diffusion.bundle import SHARD, digest
from fpsynth.diffusion.denoiser.unet import UnetDenoiser
from fpsynth.diffusion.denoiser.unet.adapter import adapter_parameters, fix_biases, plain_unet
from fpsynth.diffusion.denoiser.unet.lora import with_lora
from fpsynth.diffusion.finisher import save_finisher
from fpsynth.diffusion.model import Model, load_model
from fpsynth.errors import UserError
from fpsynth.extractor.network import extractor_digest
from fpsynth.files import write_bytes
from fpsynth.model_folder import default_model, knows, student_folder, students, write_knows
from fpsynth.reader.bundled import bundled_reader_digest
from fpsynth.training.adapt.mixed import MixedLatents
from fpsynth.training.adapt.prints import WORD, Own, bank_of, digest_of, read_prints
from fpsynth.training.batches import CropSettings, DropSettings
from fpsynth.training.data import Bank, BankSettings, LatentBank, encode_bank
from fpsynth.training.data.description import read_description
from fpsynth.training.denoiser import trained_on
from fpsynth.training.denoiser.job import DenoiserJob
from fpsynth.training.denoiser.lessons import freeze, lessons_for
from fpsynth.training.denoiser.preview import Preview
from fpsynth.training.finisher import Artist, FinisherSettings, drawing_of, teach
from fpsynth.training.finisher.drawn import HOLDS
from fpsynth.training.loop import LoopSettings, choose_place, fast_group_norm, fit

FEWEST = 10
"""Prints from which a sensor can be learnt; of fewer, style images take over the look."""
MANY = 2000
"""Prints from which on all weights learn."""
RANK = 16
PICTURES = 768
"""That the adapted model draws for its finisher to learn from."""


class AdaptSettings(BaseModel):
    """A recipe of this stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["adapt"]
    data: Path = Field(description="prints: a folder named FINGER_IMPRESSION, an image folder, Parquet")
    ppi: PositiveFloat = Field(default=500, description="resolution of prints that do not say theirs")
    bank: Path | BankSettings = Field(
        default_factory=lambda: BankSettings(images=640), description="renders that keep the model from forgetting"
    )
    model: Path | None = Field(default=None, description="the model to begin with; null: the bundled one")
    rank: NonNegativeInt | None = Field(
        default=None,
        description="0: all weights learn; else a LoRA of this rank; null: chosen by the number of prints",
    )
    crops: CropSettings = CropSettings(sizes={256: 1.0})
    drop: DropSettings = DropSettings()
    loop: LoopSettings
    finisher: LoopSettings | None = Field(
        default=None, description="how the model's finisher learns on, where it has one; null: it stays as it is"
    )

    @field_validator("finisher")
    @classmethod
    def _one_precision(cls, finisher: LoopSettings | None, info: ValidationInfo) -> LoopSettings | None:
        """A process has either float32 weights under autocast or none."""
        loop = info.data.get("loop")
        if finisher and loop and (finisher.precision == "fp16") != (loop.precision == "fp16"):
            raise ValueError(f"precision {finisher.precision} beside loop.precision {loop.precision}: fp16 needs both")
        return finisher


def run_adapt(settings: AdaptSettings, own: Own, bank: Bank, out: Path, device: str, console: Console) -> None:
    """Train on prints (see own_prints), and write out/model/: a copy of the model that knows `prompt.sensor: own`."""
    base = settings.model or default_model()
    model = load_model(base, "cpu", dtype=torch.float32)
    if not isinstance(model.denoiser, UnetDenoiser):
        raise UserError(f"{base}: the adapt stage needs a U-Net")
    for name in own_weights(base):
        console.note(f"student {name}: has weights of its own, which do not learn; the adapted model goes without it")
    lessons = lessons_for(model, settings, bank, device, console.note)
    lessons = replace(
        lessons, source=MixedLatents(encode_bank(own.bank, model.codec, device, console.note), lessons.source)
    )
    rank = settings.rank if settings.rank is not None else (0 if own.prints >= MANY else RANK)
    learning = _prepared(model.denoiser, rank, settings.loop, device)
    job = DenoiserJob(model.denoiser, learning, lessons, Preview(lessons, model.codec))
    fit(job, settings.loop, out, device, console)
    _write(base, out / "model", model, own, bank)
    if settings.finisher is not None and model.finisher is not None:
        finish(settings.finisher, out, lessons.source, device, console)
    console.note(f"model: {out / 'model'}; its recipes say `prompt: {{sensor: {WORD}}}`")


def finish(loop: LoopSettings, out: Path, source: LatentBank, device: str, console: Console) -> None:
    """The finisher of the model in out/model learns on, from what that draws of the prints and of the renders."""
    home, work = out / "model", out / "finisher"
    student = next(iter(students(home)), None)
    settings = FinisherSettings(
        stage="finisher",
        student=student,
        fresh=False,
        alone=0,
        near=(10.0, 10.0),
        penalty=(0.006, 0.006),
        depth=0,
        heads=1,
        pictures=PICTURES,
        loop=loop,
    )
    drawn = read_description(work / "drawn", HOLDS)
    if drawn and drawn.settings["model"] != digest(home):  # of the model before it learnt on
        shutil.rmtree(work)
    artist = Artist(load_model(home, device, student), source, drawing_of(settings, home))
    save_finisher(home, teach(settings, home, artist, work, console))


def own_weights(folder: Path) -> list[str]:
    """The names of a model's students that have a U-Net of their own, which learns nothing with the model's."""
    return [name for name in students(folder) if (student_folder(folder, name) / "unet").is_dir()]


def prints_key(settings: AdaptSettings) -> str:
    """What decides the bank of the prints. Raises UserError where there are none."""
    return f"{digest_of(settings.data)} {settings.ppi} {extractor_digest()} {bundled_reader_digest()}"


def own_prints(settings: AdaptSettings, folder: Path, console: Console) -> Own:
    """The bank in this folder of the prints that can be learnt from, made anew where they are others than before.

    Raises UserError where they are too few, or all of one finger.
    """
    key, mark = prints_key(settings), folder / "prints.json"
    if mark.is_file() and (told := json.loads(mark.read_text(encoding="utf-8")))["key"] == key:
        return Own(Bank(folder), told["prints"], told["fingers"])
    shutil.rmtree(folder, ignore_errors=True)
    try:
        own = bank_of(read_prints(settings.data, settings.ppi, console.note), folder)
        _check_enough(own)
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    console.note(f"read: {own.prints} prints of {own.fingers} fingers")
    write_bytes(mark, json.dumps({"key": key, "prints": own.prints, "fingers": own.fingers}).encode())
    return own


def _check_enough(own: Own) -> None:
    if own.prints < FEWEST:
        text = f"{own.prints} prints can be used, and at least {FEWEST} are needed"
        raise UserError(f"data: {text}; fewer can be named as style.images in a recipe")
    if own.fingers < 2:
        raise UserError("data: all prints are of one finger, and what is its own would be taken for the sensor's")


def _prepared(denoiser: UnetDenoiser, rank: int, loop: LoopSettings, device: str) -> Mapping[str, nn.Module]:
    """What learns: the U-Net or its LoRA, and the text encoder, which has a word to learn. All else is frozen."""
    if rank:
        with_lora(denoiser.unet, rank, loop.seed)
    for parameter in adapter_parameters(denoiser.unet):
        parameter.requires_grad_(False)
    fix_biases(denoiser.unet)
    fast_group_norm(denoiser.unet)
    place = choose_place(loop.precision, device)
    for name in denoiser.parts.keys() & {"controlnet", "image_encoder"}:
        freeze(denoiser.parts[name], place)
    return {"unet": denoiser.unet, "text_encoder": denoiser.text_encoder}


def _write(base: Path, target: Path, model: Model, own: Own, bank: Bank) -> None:
    """The base with another U-Net and text encoder, without students that have not learnt; its card says of what.

    One that does not say what it knows, knows what the bank has shown it.
    """
    denoiser: Any = model.denoiser
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(base, target)
    for name in own_weights(target):
        shutil.rmtree(student_folder(target, name))
    if hasattr(denoiser.unet, "peft_config"):
        denoiser.unet.fuse_lora()
        denoiser.unet.unload_lora()
    for name, part in (("unet", plain_unet(denoiser.unet)), ("text_encoder", denoiser.text_encoder)):
        shutil.rmtree(target / name)
        part.half().save_pretrained(target / name, max_shard_size=SHARD)
    known = knows(base) if knows(base).slots else trained_on(model.denoiser.planes, bank)
    sensors = tuple(dict.fromkeys([*known.slots.get("sensor", ()), WORD]))
    write_knows(target, replace(known, slots={**known.slots, "sensor": sensors}))
    (target / "README.md").write_text(_card(own), encoding="utf-8")


def _card(own: Own) -> str:
    return f"""---
license: other
library_name: diffusers
tags: [fingerprint, biometrics, synthetic, controlnet, ip-adapter]
---

# A fingerprint model of one sensor

A copy of a model of fpsynth that was adapted to {own.prints} prints of {own.fingers} fingers. Its prompts call their
look `own sensor`. Say here whose prints they are, on which terms they were taken, and under which licence this model
and what is made with it may be passed on.

It was made to take over the look of a sensor and not anybody's finger. Whether a dataset of it did is a matter of
measuring: `fpsynth inspect DATASET --training PRINTS`.
"""
