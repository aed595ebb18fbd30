"""Latent consistency (Luo et al., LCM, 2023, equation 12, no guidance): the same clean image from every point."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat
from torch import Tensor

from fpsynth.diffusion.samplers.lcm import consistent
from fpsynth.training.distill.method import Lesson, Space, pseudo_huber
from fpsynth.training.loop import Learner


class LcmSettings(BaseModel):
    """huber: where the loss turns from square to straight."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["lcm"] = "lcm"
    huber: PositiveFloat = 0.01
    sampler: ClassVar[str] = "lcm"

    def begin(self, space: Space) -> "Lcm":
        """The method at work."""
        return Lcm(self.huber)


@dataclass(frozen=True)
class Lcm:
    """See the module."""

    huber: float

    def loss(self, lesson: Lesson) -> Tensor:
        """The student's clean image against the one from a teacher's step on."""
        schedule, t = lesson.schedule, lesson.t
        before = (t - lesson.stride).clamp(min=0)
        z = schedule.noisy(lesson.x0, lesson.noise, t)
        control = lesson.control(z, t)
        clean = _clean(lesson, z, lesson.student(z, t, control), t)
        with torch.no_grad():
            nearer = schedule.jump(z, lesson.teacher(z, t, control), t, before)
            output = lesson.student(nearer, before, lesson.control(nearer, before))
            target = _clean(lesson, nearer, output, before)
        return pseudo_huber(clean, target, self.huber)

    def opponents(self, lesson: Callable[[int], Lesson]) -> Sequence[Learner]:
        """None."""
        return ()


def _clean(lesson: Lesson, z: Tensor, output: Tensor, t: Tensor) -> Tensor:
    return consistent(z, lesson.schedule.clean(z, output, t), t)
