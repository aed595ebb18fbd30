"""Strategic stochastic sampling (Zheng et al., TCD, 2024, algorithm 4): jump to s <= t', then noise up to t'."""

import math

from diffusers import TCDScheduler
from torch import Tensor

from fpsynth.diffusion.samplers.course import Course, Inject, Predict, set_to
from fpsynth.diffusion.schedule import Schedule


def scheduler(schedule: Schedule, steps: int) -> TCDScheduler:
    """diffusers' own: here for its times, in tests as the oracle."""
    return set_to(TCDScheduler, schedule, steps, original_inference_steps=50, clip_sample=False)


def sample(predict: Predict, start: Tensor, inject: Inject, course: Course) -> Tensor:
    """See Sampler; eta is the paper's gamma."""
    z, table = start, course.schedule.alphas_cumprod
    for step in course.steps:
        t, after = course.times[step], course.after(step) or 0
        x0, noise = course.schedule.split(z, predict(z, t), t)
        reached = table[math.floor((1 - course.eta) * after)]
        z = reached.sqrt() * x0 + (1 - reached).sqrt() * noise
        if step in course.injects:
            share = table[after] / reached
            z = share.sqrt() * z + (1 - share).sqrt() * inject(step).to(z)
    return z
