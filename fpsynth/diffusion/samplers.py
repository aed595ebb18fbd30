"""Samplers by name: diffusers' schedulers give the times and the deterministic steps; noise comes from outside.

diffusers draws a stochastic scheduler's noise inside its step from one generator. To give every image its own or its
identity's noise, the steps that inject noise (DDPM, LCM, TCD) stand here as pure functions of the same quantities, and
tests hold them to diffusers' own steps. Multistep state is per batch, so every batch gets a fresh scheduler.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    TCDScheduler,
)
from torch import Tensor

from fpsynth.errors import UserError

Noise = Callable[[int], Tensor]
"""step -> the noise to inject after it, shaped as the latents."""

CLASSES: Mapping[str, Any] = {
    "ddpm": DDPMScheduler,
    "ddim": DDIMScheduler,
    "dpmpp": DPMSolverMultistepScheduler,
    "euler": EulerDiscreteScheduler,
    "lcm": LCMScheduler,
    "tcd": TCDScheduler,
}
ETA: Mapping[str, float] = {"ddim": 0.0, "tcd": 0.3}
"""Stochasticity where the sampler has a choice: DDIM's eta, TCD's gamma."""


@dataclass(frozen=True)
class Sampler:
    """A scheduler set to a number of steps. times: (S,) as the network is told them."""

    name: str
    scheduler: Any
    times: Tensor
    eta: float

    @property
    def injects(self) -> range:
        """The steps after which noise is injected."""
        last = len(self.times) - 1
        stochastic = self.name in ("ddpm", "lcm", "tcd") or (self.name == "ddim" and self.eta > 0)
        return range(last) if stochastic and not (self.name == "tcd" and self.eta == 0) else range(0)

    def scaled(self, latents: Tensor, step: int) -> Tensor:
        """What the network sees of the latents."""
        return self.scheduler.scale_model_input(latents, self.times[step])

    def step(self, output: Tensor, step: int, latents: Tensor, noise: Noise) -> Tensor:
        """The latents after a step, given the network's output there."""
        t = self.times[step]
        if self.name in STEPS:
            return STEPS[self.name](self, output, step, latents, noise)
        if step in self.injects:
            extra = {"eta": self.eta, "variance_noise": noise(step).to(latents)}
        else:
            extra = {"eta": self.eta} if self.name == "ddim" else {}
        return self.scheduler.step(output, t, latents, **extra, return_dict=False)[0]


def make_sampler(name: str, config: Mapping[str, Any], steps: int, device: str, eta: float | None = None) -> Sampler:
    """The sampler of this name on a model's schedule. Raises UserError for an unknown name or too many steps."""
    if name not in CLASSES:
        raise UserError(f"unknown scheduler {name!r}; one of {', '.join(CLASSES)}")
    scheduler = CLASSES[name].from_config({**config, "timestep_spacing": "trailing", **_options(name)})
    try:
        scheduler.set_timesteps(steps, device=device)
    except ValueError as error:
        raise UserError(f"scheduler {name} cannot take {steps} steps: {error}") from None
    return Sampler(name, scheduler, scheduler.timesteps, ETA.get(name, 0.0) if eta is None else eta)


def _options(name: str) -> Mapping[str, Any]:
    """What from_config would otherwise take from the model's own (DDIM) schedule and read wrongly."""
    options: Mapping[str, Mapping[str, Any]] = {
        "ddpm": {"variance_type": "fixed_small", "clip_sample": False},
        "dpmpp": {"algorithm_type": "dpmsolver++", "solver_order": 2},
        "lcm": {"original_inference_steps": 50, "clip_sample": False},
        "tcd": {"original_inference_steps": 50, "clip_sample": False},
    }
    return options.get(name, {})


def _alphas(sampler: Sampler, step: int) -> tuple[Tensor, Tensor]:
    """alphas_cumprod at this step's time and at the next one's (1 after the last)."""
    table, times = sampler.scheduler.alphas_cumprod, sampler.times
    after = table[times[step + 1]] if step + 1 < len(times) else torch.ones(())
    return table[times[step]], after


def _clean_and_noise(output: Tensor, latents: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """x0 and epsilon of a velocity (Salimans & Ho 2022, appendix D)."""
    a, s = alpha.sqrt(), (1 - alpha).sqrt()
    return a * latents - s * output, a * output + s * latents


def _ddpm(sampler: Sampler, output: Tensor, step: int, latents: Tensor, noise: Noise) -> Tensor:
    """Ancestral step (Ho et al. 2020, equations 6 and 7), variance fixed small."""
    alpha, before = _alphas(sampler, step)
    x0, _ = _clean_and_noise(output, latents, alpha)
    ratio = alpha / before
    beta = 1 - ratio
    mean = before.sqrt() * beta / (1 - alpha) * x0 + ratio.sqrt() * (1 - before) / (1 - alpha) * latents
    if step not in sampler.injects:
        return mean
    variance = ((1 - before) / (1 - alpha) * beta).clamp(min=1e-20)
    return mean + variance.sqrt() * noise(step).to(latents)


def _lcm(sampler: Sampler, output: Tensor, step: int, latents: Tensor, noise: Noise) -> Tensor:
    """Multistep consistency sampling (Luo et al. 2023, algorithm 3) with the boundary scalings c_skip and c_out."""
    alpha, after = _alphas(sampler, step)
    x0, _ = _clean_and_noise(output, latents, alpha)
    time = float(sampler.times[step]) * sampler.scheduler.config.timestep_scaling
    c_skip, c_out = 0.25 / (time**2 + 0.25), time / math.sqrt(time**2 + 0.25)
    clean = c_out * x0 + c_skip * latents
    if step not in sampler.injects:
        return clean
    return after.sqrt() * clean + (1 - after).sqrt() * noise(step).to(latents)


def _tcd(sampler: Sampler, output: Tensor, step: int, latents: Tensor, noise: Noise) -> Tensor:
    """Strategic stochastic sampling (Zheng et al., TCD, 2024, algorithm 4): jump to s <= t', then noise up to t'."""
    table, times = sampler.scheduler.alphas_cumprod, sampler.times
    x0, epsilon = _clean_and_noise(output, latents, table[times[step]])
    after = int(times[step + 1]) if step + 1 < len(times) else 0
    alpha_s = table[math.floor((1 - sampler.eta) * after)]
    jumped = alpha_s.sqrt() * x0 + (1 - alpha_s).sqrt() * epsilon
    if step not in sampler.injects:
        return jumped
    share = table[after] / alpha_s
    return share.sqrt() * jumped + (1 - share).sqrt() * noise(step).to(latents)


STEPS: Mapping[str, Callable[[Sampler, Tensor, int, Tensor, Noise], Tensor]] = {"ddpm": _ddpm, "lcm": _lcm, "tcd": _tcd}
