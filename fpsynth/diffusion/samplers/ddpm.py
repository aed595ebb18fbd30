"""Ancestral sampling (Ho et al. 2020, equations 6 and 7), variance fixed small."""

from diffusers import DDPMScheduler
from torch import Tensor

from fpsynth.diffusion.samplers.course import Course, Inject, Predict, set_to
from fpsynth.diffusion.schedule import Schedule


def scheduler(schedule: Schedule, steps: int) -> DDPMScheduler:
    """diffusers' own: here for its times, in tests as the oracle."""
    return set_to(DDPMScheduler, schedule, steps, variance_type="fixed_small", clip_sample=False)


def sample(predict: Predict, start: Tensor, inject: Inject, course: Course) -> Tensor:
    """See Sampler."""
    z = start
    for step in course.steps:
        x0 = course.schedule.clean(z, predict(z, course.times[step]), course.times[step])
        mean, variance = _posterior(course, step, z, x0)
        z = mean + variance.sqrt() * inject(step).to(z) if step in course.injects else mean
    return z


def _posterior(course: Course, step: int, z: Tensor, x0: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the latent at the next time."""
    alpha, before = course.kept(step)
    ratio = alpha / before
    beta = 1 - ratio
    mean = before.sqrt() * beta / (1 - alpha) * x0 + ratio.sqrt() * (1 - before) / (1 - alpha) * z
    return mean, ((1 - before) / (1 - alpha) * beta).clamp(min=1e-20)
