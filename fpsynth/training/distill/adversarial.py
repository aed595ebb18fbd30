"""A student whose prints a critic cannot tell from the bank's: the teacher's path, and then sharper than the teacher.

Down to the last phase the student learns by `trajectory`. Where it ends, a regression could only give it the teacher's
own mean of what is likely, which is soft; so there its picture is judged (Sauer et al., adversarial diffusion
distillation, 2023), as it comes out when the student itself has sampled from noise on (Yin et al., DMD2, 2024, section
4.5), by the critic of fpsynth.training.critic.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from fpsynth.diffusion.samplers import make_course, tcd
from fpsynth.training.distill.judged import Judged, JudgedSettings, new_trial
from fpsynth.training.distill.method import Lesson, Space
from fpsynth.training.distill.trajectory import Trajectory


class AdversarialSettings(JudgedSettings):
    """leap: as of `trajectory`; cfg_scale: that the student is to be sampled with."""

    kind: Literal["adversarial"] = "adversarial"
    leap: PositiveInt = 6
    cfg_scale: float = Field(default=1.0, ge=1, le=20)
    sampler: ClassVar[str] = "tcd"

    def begin(self, space: Space) -> "Adversarial":
        """The method at work."""
        return Adversarial(self, new_trial(space))


@dataclass
class Adversarial(Judged):
    """See the module."""

    settings: AdversarialSettings

    def loss(self, lesson: Lesson) -> Tensor:
        """The path as far as the last phase, and the critic's verdict on what comes out."""
        last = lesson.starts[-2:].to(lesson.t.device)
        before = replace(lesson, t=torch.where(lesson.t > last[-1], lesson.t, last[0]))
        shown = self.show(lesson, drawn(lesson, self.settings.cfg_scale))
        path = Trajectory(self.settings.huber, self.settings.leap)
        return path.loss(before) + self.settings.weight * self.trial.seen_through(shown)


def drawn(lesson: Lesson, cfg_scale: float = 1.0) -> Tensor:
    """The clean latent that the student samples from the lesson's noise; gradients flow through its last step alone.

    What a step injects is the noise of another image and another place.
    """
    device = str(lesson.noise.device)
    last, course = lesson.starts[-1], make_course("tcd", tcd, lesson.schedule, len(lesson.starts), device=device)

    def predict(z: Tensor, t: Tensor) -> Tensor:
        times = t.expand(len(z))
        with torch.set_grad_enabled(int(t) == int(last)):
            return lesson.sampled(z, times, cfg_scale)

    return tcd.sample(predict, lesson.noise, lambda step: lesson.noise.roll((step + 1, step + 1), (0, 3)), course)
