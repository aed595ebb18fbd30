"""A student whose prints a critic cannot tell from the bank's: the teacher's path, and then sharper than the teacher.

Down to the last phase the student learns by `trajectory`. Where it ends, a regression could only give it the teacher's
own mean of what is likely, which is soft; so there its picture is judged (Sauer et al., adversarial diffusion
distillation, 2023), as it comes out when the student itself has sampled from noise on (Yin et al., DMD2, 2024, section
4.5). The critic sees pixels beside the control planes and the words, patch by patch (Isola et al., pix2pix, 2017), and
compares the print with the bank's of the same planes and words, held by both gradient penalties (Huang et al., R3GAN,
2024, equations 3 to 5).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from fpsynth.diffusion.samplers import make_course, tcd
from fpsynth.training.distill.method import Lesson, Space
from fpsynth.training.distill.trajectory import Trajectory
from fpsynth.training.loop import Learner

WIDTHS = (32, 64, 128, 128)
"""Channels of the critic, which halves the picture as often: each score sees 46 pixels."""
FINE = 8.0
"""Grain is a tenth of what ridges are: it is shown as much larger, on its own, beside the picture."""


class AdversarialSettings(BaseModel):
    """huber, leap: as of `trajectory`; weight: of the critic's say; penalty: on its slopes; rate: times the loop's;
    cfg_scale: that the student is to be sampled with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["adversarial"] = "adversarial"
    huber: PositiveFloat = 0.03
    leap: PositiveInt = 6
    weight: PositiveFloat = 0.1
    penalty: NonNegativeFloat = 0.002
    rate: PositiveFloat = 3.0
    cfg_scale: float = Field(default=1.0, ge=1, le=20)
    sampler: ClassVar[str] = "tcd"

    def begin(self, space: Space) -> "Adversarial":
        """The method at work."""
        torch.manual_seed(0)
        return Adversarial(self, Trajectory(self.huber, self.leap), Critic(space.planes, space.words))


class Critic(nn.Module):
    """Scores patches of a picture under its control planes, and under its words by a projection (Miyato 2018)."""

    def __init__(self, planes: int, words: int) -> None:
        """words: width of what the words come to."""
        super().__init__()
        convs = [nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise((2 + planes, *WIDTHS))]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, 0.2)
        self.body = nn.Sequential(*(nn.Sequential(conv, nn.LeakyReLU(0.2)) for conv in convs))
        self.head = nn.Conv2d(WIDTHS[-1], 1, 1)
        self.asked = nn.Linear(words, WIDTHS[-1])

    def forward(self, picture: Tensor, planes: Tensor, words: Tensor) -> Tensor:
        """(B, 1, H, W), (B, P, H, W), (B, words) -> scores (B, 1, H / 16, W / 16), float32."""
        fine = FINE * (picture - F.avg_pool2d(picture, 3, 1, 1, count_include_pad=False))
        seen = self.body(torch.cat([picture, fine, planes], 1))
        fits = (seen * self.asked(words)[:, :, None, None]).mean(1, keepdim=True)
        scores: Tensor = (self.head(seen) + fits).float()
        return scores


@dataclass(frozen=True)
class Shown:
    """Two pictures of the same planes and words: the bank's and the student's."""

    real: Tensor
    drawn: Tensor
    planes: Tensor
    words: Tensor


@dataclass
class Adversarial:
    """See the module."""

    settings: AdversarialSettings
    path: Trajectory
    critic: Critic
    shown: Shown | None = field(default=None, init=False)
    """Of the present step: the critic learns from the very pictures that the student was judged by."""

    def loss(self, lesson: Lesson) -> Tensor:
        """The path as far as the last phase, and the critic's verdict on what comes out."""
        last = lesson.starts[-2:].to(lesson.t.device)
        before = replace(lesson, t=torch.where(lesson.t > last[-1], lesson.t, last[0]))
        latents = drawn(lesson, self.settings.cfg_scale)
        shown = Shown(_seen(lesson, lesson.x0), _seen(lesson, latents), lesson.planes, lesson.words)
        self.shown = replace(shown, drawn=shown.drawn.detach())
        with torch.no_grad():
            real = self._scores(shown, shown.real)
        seen_through = F.softplus(real - self._scores(shown, shown.drawn)).mean()
        return self.path.loss(before) + self.settings.weight * seen_through

    def _scores(self, shown: Shown, picture: Tensor) -> Tensor:
        dtype = self.critic.head.weight.dtype
        scores: Tensor = self.critic(picture.to(dtype), shown.planes.to(dtype), shown.words.to(dtype))
        return scores

    def opponents(self, lesson: Callable[[int], Lesson]) -> Sequence[Learner]:
        """The critic."""
        return (Learner(modules={"critic": self.critic}, loss=self._judge, name="critic", rate=self.settings.rate),)

    def _judge(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        """The critic's loss on the step's pictures, and by how much it tells them apart."""
        assert self.shown is not None, "the student learns first"
        real, steep = self._slopes(self.shown, self.shown.real)
        drawn, steeper = self._slopes(self.shown, self.shown.drawn)
        apart = real - drawn
        loss = F.softplus(-apart).mean() + self.settings.penalty / 2 * (steep + steeper)
        return loss, {"apart": float(apart.detach().mean()), "slopes": float((steep + steeper).detach())}

    def _slopes(self, shown: Shown, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and the mean square of their slopes by the picture (R1, R2)."""
        picture = picture.clone().requires_grad_()
        scores = self._scores(shown, picture)
        (slope,) = torch.autograd.grad(scores.sum(), picture, create_graph=True)
        return scores, slope.square().sum() / scores.numel()


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


def _seen(lesson: Lesson, latents: Tensor) -> Tensor:
    """The picture as it would be written: nothing beyond black and white."""
    return lesson.picture(latents).clamp(-1, 1)
