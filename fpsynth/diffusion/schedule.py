"""The schedule: how noise comes in over the times, and what a network's output says of the clean latent and the noise.

z_t = a_t x0 + s_t e with a_t^2 = alphas_cumprod[t] and s_t^2 = 1 - a_t^2. A network predicts one of three things:

    v_prediction   v = a_t e - s_t x0     (Salimans & Ho 2022, appendix D)
    epsilon        e                      (Ho et al. 2020)
    sample         x0

Times are whole numbers, (B,) or a single one; latents float32 (B, C, h, w).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from fpsynth.errors import UserError

LEAST = 0.2
"""Share of noise: errors of a clean latent under less count no more than there."""
PREDICTIONS = ("v_prediction", "epsilon", "sample")


@dataclass(frozen=True)
class Schedule:
    """config: as diffusers keeps it, for its schedulers; alphas_cumprod (1000,) float32; prediction: see above."""

    config: Mapping[str, Any]
    alphas_cumprod: Tensor
    prediction: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Schedule":
        """The schedule of a diffusers scheduler's config. Raises UserError for a prediction that nobody knows."""
        prediction = config.get("prediction_type", "epsilon")
        if prediction not in PREDICTIONS:
            raise UserError(f"scheduler: unknown prediction_type {prediction!r}; one of {', '.join(PREDICTIONS)}")
        return cls(config, DDIMScheduler.from_config(config).alphas_cumprod, prediction)

    @property
    def steps(self) -> int:
        """How many times there are."""
        return len(self.alphas_cumprod)

    def scales(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(a_t, s_t), each (B, 1, 1, 1)."""
        alpha = self.alphas_cumprod.to(t.device)[t.long()].view(-1, 1, 1, 1)
        return alpha.sqrt(), (1 - alpha).sqrt()

    def noisy(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """z_t."""
        a, s = self.scales(t)
        return a * x0 + s * noise

    def target(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What the network is to predict at z_t."""
        if self.prediction == "v_prediction":
            a, s = self.scales(t)
            return a * noise - s * x0
        return noise if self.prediction == "epsilon" else x0

    def as_velocity(self, error: Tensor, t: Tensor) -> Tensor:
        """An error of the output as the error of v that it comes to, for outputs that are a clean latent or v.

        v = (a z - x0) / s (Li & He, Back to basics, 2025); below LEAST of noise as if there were that much.
        """
        return error / self.scales(t)[1].clamp_min(LEAST) if self.prediction == "sample" else error

    def split(self, z: Tensor, output: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """(x0, e): the clean latent and the noise that the network's output at z_t says."""
        a, s = self.scales(t)
        if self.prediction == "v_prediction":
            return a * z - s * output, a * output + s * z
        if self.prediction == "epsilon":
            return (z - s * output) / a, output
        return output, (z - a * output) / s

    def clean(self, z: Tensor, output: Tensor, t: Tensor) -> Tensor:
        """x0."""
        return self.split(z, output, t)[0]

    def saying(self, x0: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """The output at z_t that says this clean latent: the inverse of clean."""
        a, s = self.scales(t)
        return self.target(x0, (z - a * x0) / s, t)

    def jump(self, z: Tensor, output: Tensor, t: Tensor, to: Tensor) -> Tensor:
        """The DDIM step from t to an earlier time: x0 and e as the output says, put together for the other time."""
        x0, noise = self.split(z, output, t)
        a, s = self.scales(to)
        return a * x0 + s * noise


def load_schedule(folder: Path) -> Schedule:
    """The schedule of a model directory: of any diffusers scheduler's config, in which only DDIM's clips if unsaid."""
    return Schedule.of({"clip_sample": False, **DDIMScheduler.load_config(folder / "scheduler")})


def tangent_schedule(prediction: str = "sample", shift: float = 1.0, spread: float = 1.0) -> Schedule:
    """s_t / a_t = shift tan(pi t / 2)^spread, trailing times (Lin et al. 2024).

    With shift 1 and spread 1 it is the cosine schedule (Nichol & Dhariwal 2021) without its offset. A shift above 1
    goes with the image's side: what is large in an image is decided under more noise (Hoogeboom et al., simple
    diffusion, 2023, equation 4). A spread above 1 stops more often at both ends: where the tone of the whole image is
    decided, and where the finest grain is.
    """
    t = torch.arange(1001, dtype=torch.float64) / 1000
    ratio = shift * (torch.pi / 2 * t).tan().abs() ** spread
    kept = 1 / (1 + ratio.square())
    betas = (1 - kept[1:] / kept[:-1]).clamp(max=0.999)
    scheduler = DDIMScheduler(
        num_train_timesteps=1000,
        trained_betas=[round(beta, 12) for beta in betas.tolist()],
        prediction_type=prediction,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )
    return Schedule.of(dict(scheduler.config))


def stratified_times(generator: torch.Generator, count: int, steps: int, shift: float = 1.0) -> Tensor:
    """`count` times in 0..steps-1, one in each of `count` equal strata, in random order: a less noisy loss.

    A shift above 1 favours much noise, where large images decide their slow parts (Esser et al., SD3, 2024, eq. 23).
    """
    strata = torch.randperm(count, generator=generator)
    u = (strata + torch.rand(count, generator=generator)) / count
    return (shift * u / (1 + (shift - 1) * u) * steps).long().clamp(max=steps - 1)
