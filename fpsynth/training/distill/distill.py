"""The distillation stage: recipe, job, and the student in a copy of its teacher's directory."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, SerializeAsAny
from torch import Tensor

from fpsynth.console import Console
from fpsynth.diffusion.bundle import forget_origins
from fpsynth.diffusion.codec import Codec
from fpsynth.diffusion.denoiser import Denoiser, Told
from fpsynth.diffusion.denoiser.guidance import ask
from fpsynth.diffusion.model import Model, load_model
from fpsynth.diffusion.samplers import sampler_of
from fpsynth.diffusion.schedule import Schedule, load_schedule
from fpsynth.errors import UserError
from fpsynth.model_folder import student_folder
from fpsynth.training.batches import CropSettings, DropSettings
from fpsynth.training.data import Bank, BankSettings
from fpsynth.training.denoiser.lessons import Lessons, freeze, lessons_for
from fpsynth.training.denoiser.preview import Preview
from fpsynth.training.distill.method import Lesson, Space, Teaching, teacher_times
from fpsynth.training.distill.methods import METHODS
from fpsynth.training.distill.trajectory import TrajectorySettings
from fpsynth.training.kinds import kind_of
from fpsynth.training.loop import Learner, LoopSettings, choose_place, fast_group_norm, fit


class DistillSettings(BaseModel):
    """A recipe of a student. rank 0: all weights learn; else a LoRA of this rank."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bank: Path | BankSettings = Field(default_factory=BankSettings)
    model: Path | None = Field(default=None, description="the teacher; null: the bundled model")
    teacher: str | None = Field(default=None, description="the model's student to learn from; null: the model itself")
    start: Path | None = Field(
        default=None, description="the folder of a student to begin with (students/NAME of a model); null: the model"
    )
    name: str = Field(default="default", pattern=r"^[A-Za-z0-9_-]+$")
    method: Annotated[SerializeAsAny[BaseModel], kind_of(lambda: METHODS)] = TrajectorySettings()
    steps: PositiveInt = Field(default=4, le=50, description="that the student is meant for")
    guidance: float = Field(
        default=1.0, ge=1, le=20, description="by the words (cfg_scale) of the teacher, which the student takes on"
    )
    teacher_steps: PositiveInt = Field(default=50, description="the teacher's, must divide the model's 1000 times")
    rank: NonNegativeInt = 0
    crops: CropSettings = CropSettings()
    drop: DropSettings = DropSettings(style=0.5, control=0.0)
    loop: LoopSettings

    @property
    def how(self) -> Any:
        """The method (a Method of fpsynth.training.distill.method)."""
        return self.method


class DistillJob:
    """The student follows the teacher; both are told the same, and asked for control once a place."""

    def __init__(
        self,
        student: Denoiser,
        teacher: Denoiser,
        lessons: Lessons,
        timing: tuple[Tensor, int],
        teaching: Teaching,
        codec: Codec,
        preview: Preview | None = None,
        guidance: float = 1.0,
        length: int = 1,
    ) -> None:
        """timing: the times at which the student will be sampled, and the teacher's stride; guidance: the teacher's;
        length: of the run, in steps."""
        self._guidance, self._codec, self._length = guidance, codec, length
        self._student, self._teacher, self._lessons = student, teacher, lessons
        self._starts, self._stride = timing
        self._teaching, self._preview = teaching, preview
        taught = Learner(modules={"student": student.parts["network"]}, loss=self.loss)
        self.learners = (taught, *teaching.opponents(self.lesson))

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        """The method's loss."""
        return self._teaching.loss(self.lesson(step)), {}

    def lesson(self, step: int) -> Lesson:
        """The material of a step, where the teacher is."""
        batch, noise, generator = self._lessons.draw(step)
        device = self._teacher.device
        times = teacher_times(self._lessons.schedule.steps, self._stride)
        t = times[torch.randint(len(times), (len(noise),), generator=generator)]
        with torch.no_grad():
            told = self._teacher.tell(batch.conditions)
            blank = self._teacher.tell(batch.conditions.unguided())
        return Lesson(
            student=partial(self._student.predict, told),
            teacher=partial(self._taught, told, blank),
            control=partial(_control, self._teacher, told),
            sampled=partial(self._sampled, told, blank),
            schedule=self._lessons.schedule,
            stride=self._stride,
            starts=self._starts,
            x0=batch.latents.to(device),
            noise=noise.to(device),
            t=t.to(device),
            picture=self._codec.sketch,
            planes=told.planes,
            words=told.text.mean(1),
            done=step / self._length,
        )

    def _taught(self, told: Told, blank: Told, z: Tensor, t: Tensor, control: Any) -> Tensor:
        """The teacher's answer, guided by its words (Meng et al., On distillation of guided diffusion models, 2023)."""
        answer = self._teacher.predict(told, z, t, control)
        if self._guidance == 1:
            return answer
        without = ask(self._teacher, blank, z, t)
        return without + self._guidance * (answer - without)

    def _sampled(self, told: Told, blank: Told, z: Tensor, t: Tensor, cfg_scale: float) -> Tensor:
        """The student's answer as a sampler asks for it."""
        answer = self._student.predict(told, z, t, _control(self._teacher, told, z, t))
        if cfg_scale == 1:
            return answer
        without = self._student.predict(blank, z, t, _control(self._teacher, blank, z, t))
        return without + cfg_scale * (answer - without)

    def grid(self) -> Tensor | None:
        """Pictures, where there is a preview."""
        return None if self._preview is None else self._preview(self._student)


@torch.no_grad()
def _control(teacher: Denoiser, told: Told, z: Tensor, t: Tensor) -> Any:
    return teacher.control(told, z, t)


def run_distill(
    settings: DistillSettings, model_path: Path, bank: Bank, out: Path, device: str, console: Console
) -> None:
    """Train a student, and write out/model/: a copy of the model with the student in it."""
    model = load_model(model_path, "cpu", dtype=torch.float32)
    timing = timing_of(settings, model.schedule)
    lessons = lessons_for(model, settings, bank, device, console.note)
    taught_by = load_model(model_path, "cpu", settings.teacher, torch.float32) if settings.teacher else model
    student, teacher = pair(model, settings, device, taught_by)
    preview = Preview(lessons, model.codec, settings.how.sampler, settings.steps)
    teaching = settings.how.begin(space_of(model, lessons))
    length = settings.loop.steps
    job = DistillJob(student, teacher, lessons, timing, teaching, model.codec, preview, settings.guidance, length)
    fit(job, settings.loop, out, device, console)
    shutil.copytree(model_path, out / "model", dirs_exist_ok=True)
    write_student(student_folder(out / "model", settings.name), settings, student, model.schedule)
    console.note(f"model: {out / 'model'}, student {settings.name}")


def check_distill(settings: DistillSettings, model: Path) -> None:
    """Raises UserError for times, or for a student to begin with, that do not go with a model's folder."""
    timing_of(settings, load_schedule(model))
    if settings.start is not None and not settings.start.is_dir():
        raise UserError(f"start: {settings.start} is no folder of a student")


def timing_of(settings: DistillSettings, schedule: Schedule) -> tuple[Tensor, int]:
    """The times of the few-step sampler and the teacher's stride. Raises UserError where the teacher skips a time."""
    starts = sampler_of(settings.how.sampler).scheduler(schedule, settings.steps).timesteps
    stride = schedule.steps // settings.teacher_steps
    visited = set(teacher_times(schedule.steps, max(stride, 1)).tolist())
    if schedule.steps % settings.teacher_steps or not set(starts.tolist()) <= visited:
        raise UserError(
            f"teacher_steps {settings.teacher_steps} must divide {schedule.steps} and lead the teacher over "
            f"the student's times, {', '.join(map(str, starts.tolist()))}; 50 and 100 suit most students"
        )
    return starts, stride


@torch.no_grad()
def space_of(model: Model, lessons: Lessons) -> Space:
    """The sizes of what a method is given: of the words, what the model makes of some."""
    told = model.denoiser.tell(lessons.draw(0)[0].conditions)
    return Space(model.codec.channels, told.planes.shape[1], told.text.shape[-1])


def pair(model: Model, settings: DistillSettings, device: str, taught_by: Model) -> tuple[Denoiser, Denoiser]:
    """Student and teacher: the teacher frozen, in the run's number format; the student for the loop to place."""
    place, teacher = choose_place(settings.loop.precision, device), taught_by.denoiser
    for denoiser in (model.denoiser, teacher):
        for part in denoiser.parts.values():
            part.requires_grad_(False)
    student = model.denoiser.student(settings.rank, settings.loop.seed, settings.start)
    fast_group_norm(student.parts["network"])
    for part in (*model.denoiser.parts.values(), *teacher.parts.values()):
        freeze(part, place)
    return student, teacher


def write_student(home: Path, settings: DistillSettings, student: Denoiser, schedule: Schedule) -> None:
    """Put the student and the scheduler to sample it with into its folder."""
    shutil.rmtree(home, ignore_errors=True)
    student.save_student(home)
    forget_origins(home)
    sampler_of(settings.how.sampler).scheduler(schedule, settings.steps).save_pretrained(home / "scheduler")
