"""A toy adversarial distillation: the student's clean latents against a discriminator that learns beside it.

All that a method needs: its settings, its loss, and (since it has an adversary) a learner with an optimizer of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor, nn

from fpsynth.training.distill.method import Lesson, Space
from fpsynth.training.loop import Learner


class AdversarialSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["adversarial"] = "adversarial"
    every: PositiveInt = 2
    sampler: ClassVar[str] = "tcd"

    def begin(self, space: Space) -> "Adversarial":
        return Adversarial(space.channels, self.every)


class Adversarial:
    """Hinge losses (Sauer et al., adversarial diffusion distillation, 2023), clean latents being real."""

    def __init__(self, channels: int, every: int) -> None:
        torch.manual_seed(0)
        self.judge = nn.Sequential(nn.Conv2d(channels, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 1, 3, 1, 1))
        self.every = every

    def loss(self, lesson: Lesson) -> Tensor:
        z, control = self._seen(lesson)
        fake = lesson.schedule.clean(z, lesson.student(z, lesson.t, control), lesson.t)
        near = F.mse_loss(fake, lesson.x0)
        return near - 0.01 * self.judge(fake.to(self._dtype)).float().mean()

    def opponents(self, lesson: Callable[[int], Lesson]) -> Sequence[Learner]:
        def loss(step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
            given = lesson(step)
            z, control = self._seen(given)
            with torch.no_grad():
                fake = given.schedule.clean(z, given.student(z, given.t, control), given.t)
            scores = [self.judge(x.to(dtype)).float() for x in (given.x0, fake)]
            return F.relu(1 - scores[0]).mean() + F.relu(1 + scores[1]).mean(), {}

        return (Learner(modules={"judge": self.judge}, loss=loss, name="judge", every=self.every, rate=2.0),)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.judge.parameters()).dtype

    def _seen(self, lesson: Lesson) -> tuple[Tensor, object]:
        z = lesson.schedule.noisy(lesson.x0, lesson.noise, lesson.t)
        return z, lesson.control(z, lesson.t)
