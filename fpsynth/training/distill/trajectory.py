"""Regression onto the teacher's own path (Kim et al., CTM, ICLR 2024, without its adversary; Luhman & Luhman 2021).

From every point of a phase the student must jump to where the teacher's path through it ends; the teacher walks there
step by step. Unlike phased consistency nothing is asked of the student's own jumps, so that its errors do not add up;
a lesson costs as many of the teacher's steps as are left of the phase.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt
from torch import Tensor

from fpsynth.training.distill.method import Lesson, Space, pseudo_huber
from fpsynth.training.distill.phased import phase_edge
from fpsynth.training.loop import Learner


class TrajectorySettings(BaseModel):
    """huber: where the loss turns from square to straight; leap: strides that the teacher takes at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["trajectory"] = "trajectory"
    huber: PositiveFloat = 0.03
    leap: PositiveInt = 3
    sampler: ClassVar[str] = "tcd"

    def begin(self, space: Space) -> "Trajectory":
        """The method at work."""
        return Trajectory(self.huber, self.leap)


@dataclass(frozen=True)
class Trajectory:
    """See the module."""

    huber: float
    leap: int

    def loss(self, lesson: Lesson) -> Tensor:
        """The student's jump to the end of its phase against the teacher's walk there."""
        schedule, t = lesson.schedule, lesson.t
        edge = phase_edge(t, lesson.starts)
        z = schedule.noisy(lesson.x0, lesson.noise, t)
        control = lesson.control(z, t)
        jumped = schedule.jump(z, lesson.student(z, t, control), t, edge)
        return pseudo_huber(jumped, self._walked(lesson, z, edge), self.huber)

    @torch.no_grad()
    def _walked(self, lesson: Lesson, z: Tensor, edge: Tensor) -> Tensor:
        """Where the teacher comes out."""
        t = lesson.t
        while bool((t > edge).any()):
            before = torch.maximum(t - self.leap * lesson.stride, edge)
            nearer = lesson.schedule.jump(z, lesson.teacher(z, t, lesson.control(z, t)), t, before)
            z, t = torch.where((t > edge).view(-1, 1, 1, 1), nearer, z), before
        return z

    def opponents(self, lesson: Callable[[int], Lesson]) -> Sequence[Learner]:
        """None."""
        return ()
