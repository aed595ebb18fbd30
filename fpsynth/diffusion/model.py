"""A model: denoiser, codec and schedule, in memory on one device or as a directory."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from fpsynth.diffusion.bundle import check_bundle, components, forget_origins
from fpsynth.diffusion.codec import CODECS, Codec, load_codec
from fpsynth.diffusion.denoiser import BACKBONES, Denoiser
from fpsynth.diffusion.finisher import Finisher, load_finisher, save_finisher
from fpsynth.diffusion.schedule import Schedule, load_schedule
from fpsynth.errors import DamagedFile, UserError
from fpsynth.model_folder import INDEX, Knows, check_student, knows, write_knows


@dataclass(frozen=True, kw_only=True)
class Model:
    """Ready to sample or to learn. finisher: what ends the pictures, if anything."""

    denoiser: Denoiser
    codec: Codec
    schedule: Schedule
    finisher: Finisher | None = None

    @property
    def multiple(self) -> int:
        """Pixels: both sides of an image must be multiples of it."""
        return self.codec.factor * self.denoiser.multiple


def natural_dtype(device: str) -> torch.dtype:
    """fp16 on CUDA; on the CPU bf16 where it has instructions for it, else fp32."""
    if device != "cpu":
        return torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


def drawn_by(device: str) -> dict[str, str]:
    """What decides the last bits of what a model draws: device with its number format, and the libraries' versions."""
    kind = f"{device} {natural_dtype(device)}".replace("torch.", "")
    return {"device": kind, **{name: version(name) for name in ("torch", "numpy", "diffusers")}}


def load_model(
    folder: Path,
    device: str = "cpu",
    student: str | None = None,
    dtype: torch.dtype | None = None,
    begin: tuple[str, ...] | None = None,
) -> Model:
    """Load a model directory; student names the few-step network to use in place of the base one.

    begin: the control planes that the model is going to be taught, for which it may lack the parts. Raises UserError
    where there is no model or no such student, DamagedFile (naming the file) for weights that cannot be read.
    """
    check_bundle(folder)
    if student is not None:
        check_student(folder, student)
    be_quiet()
    try:
        return _load(folder, device, student, dtype or natural_dtype(device), begin)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DamagedFile(f"{folder}: the model cannot be loaded ({first})") from error


def _load(folder: Path, device: str, student: str | None, dtype: torch.dtype, begin: tuple[str, ...] | None) -> Model:
    named = components(folder)
    network = next((BACKBONES[kind] for kind in named.values() if kind in BACKBONES), None)
    codec = next((name for name, kind in named.items() if kind in CODECS), None)
    if network is None or codec is None:
        raise UserError(f"{folder}: {INDEX} names no {'network' if network is None else 'codec'} that is known here")
    load, planes = (network.load, knows(folder).planes) if begin is None else (network.begin or network.load, begin)
    model = Model(
        denoiser=load(folder, student, device, dtype, planes),
        codec=load_codec(folder / codec, device, dtype),
        schedule=load_schedule(folder),
        finisher=load_finisher(folder, device, dtype),
    )
    if model.denoiser.channels != model.codec.channels:
        told = f"latents of {model.codec.channels} channels, its network one of {model.denoiser.channels}"
        raise ValueError(f"its codec makes {told}")
    if model.finisher and (model.codec.grain > 1 or model.finisher.shape.planes != len(model.denoiser.planes)):
        raise ValueError("its finisher is of another model")
    return model


def save_model(folder: Path, model: Model, knows: Knows) -> None:
    """Write a model directory in fp16. `knows` says what it was trained on."""
    index = {
        **model.denoiser.save(folder),
        "vae": model.codec.save(folder / "vae"),
        "scheduler": ["diffusers", "DDIMScheduler"],
        "_diffusers_version": version("diffusers"),
    }
    DDIMScheduler.from_config(model.schedule.config).save_pretrained(folder / "scheduler")
    if model.finisher is not None:
        save_finisher(folder, model.finisher)
    write_knows(folder, knows)
    forget_origins(folder)
    text = json.dumps(dict(sorted(index.items())), indent=2) + "\n"
    (folder / INDEX).write_text(text, encoding="utf-8")


def be_quiet() -> None:
    """No progress bars and remarks of diffusers and transformers: what there is to say, the console says."""
    libraries: tuple[Any, ...] = (diffusers_logging, transformers_logging)
    for logging in libraries:
        logging.set_verbosity_error()
        logging.disable_progress_bar()
