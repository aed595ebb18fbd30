"""A method whose student a critic judges: what it is shown, and what it learns beside the student."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat
from torch import Tensor

from fpsynth.training.critic import Critic, Shown, Trial
from fpsynth.training.distill.method import Lesson, Space
from fpsynth.training.loop import Learner


class JudgedSettings(BaseModel):
    """huber: where the loss turns from square to straight; weight: of the critic's say; penalty: on its slopes; rate:
    the critic's, times the loop's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    huber: PositiveFloat = 0.03
    weight: PositiveFloat = 0.1
    penalty: NonNegativeFloat = 0.002
    rate: PositiveFloat = 3.0


@dataclass
class Judged:
    """See the module."""

    settings: JudgedSettings
    trial: Trial
    shown: Shown | None = field(default=None, init=False)
    """Of the present step: the critic learns from the very pictures that the student was judged by."""

    def show(self, lesson: Lesson, latents: Tensor) -> Shown:
        """The student's clean latents beside the lesson's, as they would be written."""
        shown = Shown(_seen(lesson, lesson.x0), _seen(lesson, latents), lesson.planes, lesson.words)
        self.shown = shown.still()
        return shown

    def opponents(self, lesson: Callable[[int], Lesson]) -> Sequence[Learner]:
        """The critic."""
        learning, rate = {"critic": self.trial.critic}, self.settings.rate
        return (Learner(modules=learning, loss=self._judge, name="critic", rate=rate),)

    def _judge(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        """The critic's loss on the step's pictures, and by how much it tells them apart."""
        assert self.shown is not None, "the student learns first"
        return self.trial.verdict(self.shown, self.settings.penalty)


def new_trial(space: Space) -> Trial:
    """A critic that has learnt nothing, always the same."""
    torch.manual_seed(0)
    return Trial(Critic(space.planes, space.words))


def _seen(lesson: Lesson, latents: Tensor) -> Tensor:
    """The picture as it would be written: nothing beyond black and white."""
    return lesson.picture(latents).clamp(-1, 1)
