"""Multistep consistency sampling (Luo et al., LCM, 2023, algorithm 3)."""

import torch
from diffusers import LCMScheduler
from torch import Tensor

from fpsynth.diffusion.samplers.course import Course, Inject, Predict, set_to
from fpsynth.diffusion.schedule import Schedule

SCALING, SIGMA_DATA = 10.0, 0.5
"""diffusers' defaults: how much the time is stretched, and the deviation of the data, in the boundary scalings."""


def scheduler(schedule: Schedule, steps: int) -> LCMScheduler:
    """diffusers' own: here for its times, in tests as the oracle."""
    return set_to(LCMScheduler, schedule, steps, original_inference_steps=50, clip_sample=False)


def sample(predict: Predict, start: Tensor, inject: Inject, course: Course) -> Tensor:
    """See Sampler."""
    z, table = start, course.schedule.alphas_cumprod
    for step in course.steps:
        t = course.times[step]
        clean = consistent(z, course.schedule.clean(z, predict(z, t), t), t)
        after = course.after(step)
        if step not in course.injects or after is None:
            z = clean
        else:
            z = table[after].sqrt() * clean + (1 - table[after]).sqrt() * inject(step).to(z)
    return z


def consistent(z: Tensor, x0: Tensor, t: Tensor) -> Tensor:
    """c_skip z + c_out x0: at t = 0 the latent itself (equation 9)."""
    time, data = SCALING * t.double().view(-1, 1, 1, 1), SIGMA_DATA**2
    skip, out = data / (time**2 + data), time / torch.sqrt(time**2 + data)
    return out.to(z) * x0 + skip.to(z) * z
