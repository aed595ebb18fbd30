"""Flash Diffusion (Chadebec et al., AAAI 2025): one clean image from every point, that of the teacher's whole path.

The student is asked at times that cluster around those at which it will be sampled; which of them counts most moves in
four stages, from much noise to all alike (section 3.2 of the paper). Three losses: the teacher's clean image at the
end of its walk; a critic's verdict (here that of fpsynth.training.critic in place of an LSGAN on the teacher's
features); and distribution matching (Yin et al., DMD, 2024, equation 7), where the student itself tells the score of
what it draws. The latter two grow from stage to stage.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from fpsynth.training.distill.judged import Judged, JudgedSettings, new_trial
from fpsynth.training.distill.method import Lesson, Space, pseudo_huber

STAGES: Final = ((0.5, 0.5, 0.0, 0.0), (0.3, 0.3, 0.3, 0.1), (0.25, 0.25, 0.25, 0.25), (0.2, 0.2, 0.2, 0.4))
"""By stage: how often the first, second, ... quarter of the student's times is asked for, from much noise to little."""
GROWTH: Final = (0.0, 1 / 3, 2 / 3, 1.0)
"""By stage: how much of their weights critic and distribution matching have."""
NARROW = 0.25
"""Deviation of the times around those that are sampled, in distances between these."""


class FlashSettings(JudgedSettings):
    """walk: the teacher's steps; matching, and weight: of the distribution's and the critic's say in the end."""

    kind: Literal["flash"] = "flash"
    walk: PositiveInt = 4
    matching: NonNegativeFloat = 0.3
    sampler: ClassVar[str] = "lcm"

    def begin(self, space: Space) -> "Flash":
        """The method at work."""
        return Flash(self, new_trial(space))


@dataclass
class Flash(Judged):
    """See the module."""

    settings: FlashSettings

    def loss(self, lesson: Lesson) -> Tensor:
        """The teacher's clean image, the critic's verdict and the distribution's pull."""
        settings, growth = self.settings, GROWTH[stage_of(lesson.done)]
        t = clustered(lesson.t, lesson.starts, lesson.schedule.steps, STAGES[stage_of(lesson.done)])
        z = lesson.schedule.noisy(lesson.x0, lesson.noise, t)
        drawn = lesson.schedule.clean(z, lesson.student(z, t, lesson.control(z, t)), t)
        shown = self.show(lesson, drawn)
        loss = pseudo_huber(drawn, walked(lesson, z, t, settings.walk), settings.huber)
        if growth:
            loss = loss + growth * settings.weight * self.trial.seen_through(shown)
            loss = loss + growth * settings.matching * matching(lesson, drawn)
        return loss


def stage_of(done: float) -> int:
    """The stage of a run of which this share is done."""
    return min(int(done * len(STAGES)), len(STAGES) - 1)


def clustered(t: Tensor, starts: Tensor, steps: int, weights: Sequence[float]) -> Tensor:
    """Even times turned into times normal around the starts, weighed by the quarter of the starts that they lie in."""
    falling = starts.sort(descending=True).values.to(t.device)
    quarters = torch.arange(len(falling), device=t.device) * len(weights) // len(falling)
    shares = torch.tensor(weights, device=t.device)[quarters]
    rises = (shares / shares.sum()).cumsum(0)
    u = (t + 0.5) / steps
    which = torch.searchsorted(rises, u.clamp(max=float(rises[-1]) - 1e-6), right=True)
    low = torch.cat([rises.new_zeros(1), rises])[which]
    within = ((u - low) / (rises[which] - low)).clamp(0.01, 0.99)
    spread = NARROW * steps / len(falling) * math.sqrt(2) * torch.erfinv(2 * within - 1)
    return (falling[which] + spread).round().long().clamp(0, steps - 1)


@torch.no_grad()
def walked(lesson: Lesson, z: Tensor, t: Tensor, steps: int) -> Tensor:
    """The clean latents at the end of the teacher's way from z_t, in so many even steps."""
    for left in range(steps, 0, -1):
        to = t * (left - 1) // left
        z, t = lesson.schedule.jump(z, lesson.teacher(z, t, lesson.control(z, t)), t, to), to
    return z


def matching(lesson: Lesson, drawn: Tensor) -> Tensor:
    """Half the square of what the teacher would change in the drawn latents, less what the student would, as a loss."""
    with torch.no_grad():
        t, still = lesson.t.clamp(min=lesson.schedule.steps // 50), drawn.detach()
        z = lesson.schedule.noisy(still, lesson.noise.roll(1, 0), t)
        control = lesson.control(z, t)
        real, fake = (lesson.schedule.clean(z, of(z, t, control), t) for of in (lesson.teacher, lesson.student))
        pull = (real - fake) / (still - real).abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-3)
    return 0.5 * (drawn - (still + pull)).square().mean()
