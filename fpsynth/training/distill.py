"""Distillation: a student U-Net that does in a few steps what the model does in many."""

import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import DDIMScheduler, LCMScheduler, TCDScheduler, UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from peft import LoraConfig, get_peft_model_state_dict
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from fpsynth.diffusion.bundle import save_student
from fpsynth.diffusion.model import Model, load_model
from fpsynth.errors import UserError
from fpsynth.training.adapter import is_adapter
from fpsynth.training.adapters import freeze
from fpsynth.training.batches import Batch, CropSettings, DropSettings, check_grid
from fpsynth.training.data import Bank, BankSettings, encode_bank
from fpsynth.training.denoiser import Lessons, plain_unet
from fpsynth.training.diffuse import Diffusion
from fpsynth.training.group_norm import fast_group_norm
from fpsynth.training.loop import LoopSettings, choose_place, fit
from fpsynth.training.losses import Pupil, lcm_loss, phased_loss, teacher_times
from fpsynth.training.network import Network, Residuals, Words
from fpsynth.training.preview import Preview

Say = Callable[[str], None]
STUDENTS: Mapping[str, Any] = {"phased": TCDScheduler, "lcm": LCMScheduler}
"""The scheduler that samples from a student of each method; both sample at the times that the student learnt."""
LORA_LAYERS = (
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2",
    "conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv",
)  # fmt: skip


class DistillSettings(BaseModel):
    """A recipe of a student. rank 0: all weights learn; else a LoRA of this rank."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bank: Path | BankSettings = Field(default_factory=BankSettings)
    model: Path | None = Field(default=None, description="the teacher; null: the bundled model")
    name: str = Field(default="default", pattern=r"^[A-Za-z0-9_-]+$")
    method: Literal["phased", "lcm"] = "phased"
    steps: PositiveInt = Field(default=4, le=50, description="that the student is meant for")
    teacher_steps: PositiveInt = Field(default=50, description="the teacher's, must divide the model's 1000 times")
    huber: PositiveFloat = 0.01
    rank: NonNegativeInt = 0
    crops: CropSettings = CropSettings()
    drop: DropSettings = DropSettings(style=0.5, control=0.0)
    loop: LoopSettings


@dataclass(frozen=True)
class Lecture:
    """How the student is taught: the method, the times that a few-step sampler starts from, the teacher's stride."""

    method: str
    starts: Tensor
    stride: int
    huber: float

    def loss(self, pupil: Pupil, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """The method's loss."""
        if self.method == "lcm":
            return lcm_loss(pupil, x0, noise, t, self.huber)
        return phased_loss(pupil, x0, noise, t, self.starts, self.huber)


class DistillJob:
    """The student follows the teacher; both are told the same, and the ControlNet is asked once a place."""

    def __init__(
        self, student: Network, teacher: Network, lessons: Lessons, lecture: Lecture, preview: Preview | None = None
    ) -> None:
        self.modules: Mapping[str, nn.Module] = {"student": student.unet}
        self._student, self._teacher, self._lessons = student, teacher, lessons
        self._lecture, self._preview = lecture, preview

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        batch, noise, generator = self._lessons.draw(step)
        times = teacher_times(self._lessons.diffusion.steps, self._lecture.stride)
        t = times[torch.randint(len(times), (len(noise),), generator=generator)].to(device)
        with torch.no_grad():
            words = self._teacher.words(batch)
        pupil = Pupil(
            partial(_velocity, self._student, words),
            partial(_velocity, self._teacher, words),
            partial(_control, self._teacher, words, batch),
            self._lessons.diffusion,
            self._lecture.stride,
        )
        return self._lecture.loss(pupil, batch.latents.to(device), noise.to(device), t), {}

    def grid(self) -> Tensor | None:
        return None if self._preview is None else self._preview(self._student)


def _velocity(network: Network, words: Words, z: Tensor, t: Tensor, residuals: Residuals) -> Tensor:
    return network.velocity(z, t, words, residuals)


def _control(network: Network, words: Words, batch: Batch, z: Tensor, t: Tensor) -> Residuals:
    with torch.no_grad():
        return network.control(z, t, words, batch)


def run_distill(settings: DistillSettings, model_path: Path, bank: Bank, out: Path, device: str, say: Say) -> None:
    """Train a student, and write out/model/: a copy of the model with the student in it."""
    model = load_model(model_path, "cpu", dtype=torch.float32)
    schedule = DDIMScheduler.from_config(model.schedule)
    lecture = lecture_of(settings, schedule)
    check_grid(model.factor, settings.crops.size, len(model.unet.config.block_out_channels))
    source = encode_bank(bank, model.vae, device, say)
    teacher = teacher_of(model, settings, device)
    student = student_of(model.unet, settings)
    lessons = Lessons(source, Diffusion(schedule.alphas_cumprod), settings.loop, settings.crops, settings.drop)
    network = Network(student, teacher.controlnet, teacher.text_encoder, teacher.tokenizer, teacher.image_encoder)
    preview = Preview(source, lessons.diffusion, model.vae, lecture.starts)
    fit(DistillJob(network, teacher, lessons, lecture, preview), settings.loop, out, device, say)
    shutil.copytree(model_path, out / "model", dirs_exist_ok=True)
    write_student(out / "model", settings, student, schedule)
    say(f"model: {out / 'model'}, student {settings.name}")


def lecture_of(settings: DistillSettings, schedule: DDIMScheduler) -> Lecture:
    """The times of the few-step sampler and of the teacher. Raises UserError where the teacher skips one of them."""
    sampler = STUDENTS[settings.method].from_config(schedule.config)
    sampler.set_timesteps(settings.steps)
    times, starts = schedule.config.num_train_timesteps, sampler.timesteps
    stride = times // settings.teacher_steps
    if times % settings.teacher_steps or not set(starts.tolist()) <= set(teacher_times(times, stride).tolist()):
        visited = ", ".join(map(str, starts.tolist()))
        raise UserError(
            f"teacher_steps {settings.teacher_steps} must divide {times} and lead the teacher over "
            f"the student's times, {visited}; 50 and 100 suit most students"
        )
    return Lecture(settings.method, starts, stride, settings.huber)


def teacher_of(model: Model, settings: DistillSettings, device: str) -> Network:
    """The model as it is, frozen, in the number format of the run."""
    place = choose_place(settings.loop.precision, device)
    parts = (deepcopy(model.unet), model.controlnet, model.text_encoder, model.image_encoder)
    for module in parts:
        freeze(module)
        module.to(place.device, place.dtype)
        module.to(memory_format=torch.channels_last)
    return Network(parts[0], parts[1], parts[2], model.tokenizer, parts[3])


def student_of(unet: UNet2DConditionModel, settings: DistillSettings) -> UNet2DConditionModel:
    """The teacher's U-Net, free to learn but for its style adapter; or with a LoRA that alone is free."""
    freeze(unet)
    if settings.rank:
        torch.manual_seed(settings.loop.seed)
        unet.add_adapter(LoraConfig(r=settings.rank, lora_alpha=settings.rank, target_modules=list(LORA_LAYERS)))
    else:
        for name, parameter in unet.named_parameters():
            parameter.requires_grad_(not is_adapter(name))
    fast_group_norm(unet)
    return unet


def write_student(
    folder: Path, settings: DistillSettings, student: UNet2DConditionModel, teacher: DDIMScheduler
) -> None:
    """Put the student and the scheduler to sample it with into a model directory."""
    home = folder / "students" / settings.name
    shutil.rmtree(home, ignore_errors=True)
    if settings.rank:
        half = {key: value.half().contiguous() for key, value in get_peft_model_state_dict(student).items()}
        StableDiffusionLoraLoaderMixin.save_lora_weights(home, unet_lora_layers=half)
    else:
        save_student(folder, settings.name, plain_unet(student))
    STUDENTS[settings.method].from_config(teacher.config).save_pretrained(home / "scheduler")
