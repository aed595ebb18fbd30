"""Progressive distillation (Salimans & Ho, ICLR 2022; its segments as Lin et al., SDXL-Lightning, 2024, draw them).

From each time at which it will be sampled the student jumps to the next in one step; its teacher walks there in
several. Once it can, it teaches a student of fewer steps (`teacher`): 40, 8, 4, 2, 1. Only these times are
ever asked for, so that nothing is learnt which is not sampled. SDXL-Lightning's discriminator is not here: that is
`adversarial`.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat
from torch import Tensor

from fpsynth.training.distill.method import Lesson, Space
from fpsynth.training.distill.trajectory import Trajectory


class SegmentSettings(BaseModel):
    """huber: where the loss turns from square to straight."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["segment"] = "segment"
    huber: PositiveFloat = 0.03
    sampler: ClassVar[str] = "ddim"

    def begin(self, space: Space) -> "Segment":
        """The method at work."""
        return Segment(self.huber, leap=1)


@dataclass(frozen=True)
class Segment(Trajectory):
    """See the module."""

    def loss(self, lesson: Lesson) -> Tensor:
        """A trajectory's, from the start of the phase that each time lies in."""
        return super().loss(replace(lesson, t=phase_start(lesson.t, lesson.starts)))


def phase_start(t: Tensor, starts: Tensor) -> Tensor:
    """The time from which the student will be sampled through the phase that each t lies in."""
    rising = starts.sort().values.to(t.device)
    return rising[torch.searchsorted(rising, t)]
