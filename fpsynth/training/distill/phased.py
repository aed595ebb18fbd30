"""Phased consistency (Wang et al., PCM, NeurIPS 2024, equation 5; no guidance, no adversary).

From every point of the teacher's path inside a phase the student must jump to the same point at the phase's end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat
from torch import Tensor

from fpsynth.training.distill.method import Lesson, Space, pseudo_huber
from fpsynth.training.loop import Learner


class PhasedSettings(BaseModel):
    """huber: where the loss turns from square to straight."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["phased"] = "phased"
    huber: PositiveFloat = 0.01
    sampler: ClassVar[str] = "tcd"

    def begin(self, space: Space) -> "Phased":
        """The method at work."""
        return Phased(self.huber)


@dataclass(frozen=True)
class Phased:
    """See the module."""

    huber: float

    def loss(self, lesson: Lesson) -> Tensor:
        """The student's jump to the end of its phase against the one from a teacher's step on."""
        schedule, t = lesson.schedule, lesson.t
        edge = phase_edge(t, lesson.starts)
        before = torch.maximum(t - lesson.stride, edge)
        z = schedule.noisy(lesson.x0, lesson.noise, t)
        control = lesson.control(z, t)
        jumped = schedule.jump(z, lesson.student(z, t, control), t, edge)
        with torch.no_grad():
            nearer = schedule.jump(z, lesson.teacher(z, t, control), t, before)
            output = lesson.student(nearer, before, lesson.control(nearer, before))
            target = schedule.jump(nearer, output, before, edge)
            target = torch.where((before == edge).view(-1, 1, 1, 1), nearer, target)
        return pseudo_huber(jumped, target, self.huber)

    def opponents(self, lesson: Callable[[int], Lesson]) -> Sequence[Learner]:
        """None."""
        return ()


def phase_edge(t: Tensor, starts: Tensor) -> Tensor:
    """The end of the phase that each t lies in: the next lower of the times that will be sampled, or 0.

    A phase holds its start and not its end, but for the last, which holds 0.
    """
    ends = torch.cat([torch.zeros(1, dtype=starts.dtype), starts.cpu().sort().values]).to(t.device)
    return ends[(torch.searchsorted(ends, t) - 1).clamp_min(0)]
