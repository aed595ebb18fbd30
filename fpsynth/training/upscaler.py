"""The upscaler stage: pictures of half the resolution learn to be as fine as the bank's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat
from torch import Tensor

from fpsynth.console import Console
from fpsynth.diffusion.finisher import Finisher, save_network
from fpsynth.diffusion.upscale import SCALE, new_upscaler, upscaled
from fpsynth.training.batches import Side
from fpsynth.training.critic import Critic, Shown, Trial
from fpsynth.training.data import SIZE, Bank, BankSettings, to_signed
from fpsynth.training.loop import Learner, LoopSettings, fit, step_generator

MOMENTUM = 0.5
LOOKED_AT = 4


class UpscalerSettings(BaseModel):
    """A recipe of this stage.

    bank     of the resolution that pictures are to have
    crop     side of what is cut out of the bank's images at each step
    near     weight of the distance to them, beside the critic's verdict
    alone    steps of the start in which that alone counts
    penalty  on the critic's slopes
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["upscaler"]
    bank: Path | BankSettings = Field(default_factory=lambda: BankSettings(ppi=1000))
    crop: Side = 128
    near: NonNegativeFloat = 5.0
    alone: NonNegativeInt = 200
    penalty: PositiveFloat = 0.01
    loop: LoopSettings


@dataclass
class UpscalerJob:
    """Upscaler and critic, which sees beside each fine picture the coarse one."""

    upscaler: Finisher
    trial: Trial
    bank: Bank
    settings: UpscalerSettings
    shown: Shown | None = field(default=None, init=False)
    """Of the present step: the critic learns from the very pictures that the upscaler was judged by."""

    @property
    def learners(self) -> tuple[Learner, ...]:
        """The upscaler, and then the critic."""
        critic = {"critic": self.trial.critic}
        return (
            Learner(modules={"upscaler": self.upscaler}, loss=self.loss, momentum=MOMENTUM),
            Learner(modules=critic, loss=self._judge, name="critic", momentum=MOMENTUM),
        )

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        """The critic's verdict, and how far the pictures are from the bank's."""
        generator = step_generator(self.settings.loop.seed, step)
        fine = self._draw(generator).to(device)
        drawn, coarse = self._drawn(fine, generator)
        shown = Shown(fine, drawn.clamp(-1, 1), coarse, fine.new_zeros(len(fine), 1))
        self.shown = shown.still()
        verdict, away = self.trial.seen_through(shown), (drawn - fine).abs().mean()
        say = float(step >= self.settings.alone)
        figures = {"verdict": float(verdict.detach()), "away": float(away.detach())}
        return say * verdict + self.settings.near * away, figures

    def _draw(self, generator: torch.Generator) -> Tensor:
        """(B, 1, crop, crop): of the bank's images."""
        crop, count = self.settings.crop, self.settings.loop.batch
        index = torch.randint(len(self.bank), (count,), generator=generator).tolist()
        corners = torch.randint(SIZE - crop + 1, (count, 2), generator=generator).tolist()
        cut = [self.bank.image_crop(i, top, left, crop) for i, (top, left) in zip(index, corners, strict=True)]
        return to_signed(torch.stack(cut)[:, None])

    def _drawn(self, fine: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is drawn of the fine pictures' coarse ones; and these, as large as those, in [0, 1]."""
        coarse = F.avg_pool2d(fine, SCALE)
        noise = torch.randn(fine.shape, generator=generator).to(fine.device)
        large = F.interpolate(coarse, scale_factor=float(SCALE), mode="nearest")
        return upscaled(self.upscaler, coarse, noise), (large + 1) / 2

    def _judge(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        assert self.shown is not None, "the upscaler learns first"
        return self.trial.verdict(self.shown, self.settings.penalty)

    @torch.no_grad()
    def grid(self) -> Tensor:
        """Coarse pictures, and on their right what is drawn of them, and the bank's."""
        stride = max(len(self.bank) // LOOKED_AT, 1)
        index = [i * stride % len(self.bank) for i in range(LOOKED_AT)]
        fine = to_signed(torch.stack([self.bank.image_crop(i, 128, 128, 256) for i in index])[:, None])
        drawn, coarse = self._drawn(fine.to(self.upscaler.out.weight.device), torch.Generator().manual_seed(0))
        return torch.stack([2 * coarse.cpu() - 1, drawn.cpu().clamp(-1, 1), fine], 1).flatten(0, 1)


def run_upscaler(settings: UpscalerSettings, bank: Bank, out: Path, device: str, console: Console) -> None:
    """Train, and write out/upscaler/."""
    torch.manual_seed(settings.loop.seed)
    upscaler = new_upscaler()
    fit(UpscalerJob(upscaler, Trial(Critic(1, 1)), bank, settings), settings.loop, out, device, console)
    save_network(out / "upscaler", upscaler)
    console.note(f"upscaler: {out / 'upscaler'}")
