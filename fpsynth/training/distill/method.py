"""What a method of distillation is, and what it is given at each step. One file a method: its settings and its loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from fpsynth.diffusion.schedule import Schedule
from fpsynth.training.loop import Learner

Control = Callable[[Tensor, Tensor], Any]
"""(z, t) -> the control features there; computed once for all networks that look at the same (z, t)."""
Output = Callable[[Tensor, Tensor, Any], Tensor]
"""(z, t, control) -> the network's output, float32."""
Sampled = Callable[[Tensor, Tensor, float], Tensor]
"""(z, t, cfg_scale) -> the student's output as a sampler asks for it, control features and guidance included."""


@dataclass(frozen=True)
class Space:
    """Sizes of what a method works with: channels of latents, number of control planes, width of the words."""

    channels: int
    planes: int
    words: int


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One step's material.

    student, teacher  what they answer, under the same conditions
    control           the control features that both are handed
    sampled           what the student answers a sampler
    schedule          what their answers mean
    stride            how many of the 1000 times the teacher takes at a step
    starts            (S,) the times at which the student will be sampled, falling, such as 999, 759, 499, 259
    x0, noise         clean latents and noise (B, C, h, w)
    t                 (B,) times, of teacher_times
    picture           latents -> pixels (B, 1, H, W) in about [-1, 1]; gradients flow
    planes, words     what both are told: (B, P, H, W), and (B, width) the mean of the words as they are encoded
    done              share of the run that is done
    """

    student: Output
    teacher: Output
    control: Control
    sampled: Sampled
    schedule: Schedule
    stride: int
    starts: Tensor
    x0: Tensor
    noise: Tensor
    t: Tensor
    picture: Callable[[Tensor], Tensor]
    planes: Tensor
    words: Tensor
    done: float = 0.0


class Teaching(Protocol):
    """A method at work."""

    def loss(self, lesson: Lesson) -> Tensor:
        """What the student is to make small."""

    def opponents(self, lesson: Callable[[int], Lesson]) -> Sequence[Learner]:
        """Other learners, such as a discriminator; lesson(step) gives them the step's material."""


class Method(Protocol):
    """A method's settings (a pydantic model with `kind`)."""

    sampler: ClassVar[str]
    """What the student is sampled with."""

    def begin(self, space: Space) -> Teaching:
        """Set to work on material of these sizes."""


def pseudo_huber(a: Tensor, b: Tensor, c: float) -> Tensor:
    """mean of sqrt(d^2 + c^2) - c (Song & Dhariwal 2023, equation 7)."""
    return ((a - b).square() + c * c).sqrt().mean() - c


def teacher_times(steps: int, stride: int) -> Tensor:
    """stride - 1, 2 stride - 1, ..., steps - 1: where the teacher steps from (and where few-step samplers start)."""
    return torch.arange(stride, steps + 1, stride) - 1
