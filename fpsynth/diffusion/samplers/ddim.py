"""DDIM (Song et al. 2021, equation 12), with noise where eta > 0.

diffusers' step goes back by 1000 // steps, which is not where its own trailing times go unless steps divides 1000.
"""

from diffusers import DDIMScheduler
from torch import Tensor

from fpsynth.diffusion.samplers.course import Course, Inject, Predict, set_to
from fpsynth.diffusion.schedule import Schedule


def scheduler(schedule: Schedule, steps: int) -> DDIMScheduler:
    """diffusers' own: here for its times, in tests as the oracle."""
    return set_to(DDIMScheduler, schedule, steps)


def sample(predict: Predict, start: Tensor, inject: Inject, course: Course) -> Tensor:
    """See Sampler."""
    z = start
    for step in course.steps:
        t = course.times[step]
        x0, noise = course.schedule.split(z, predict(z, t), t)
        alpha, before = course.kept(step)
        variance = course.eta**2 * (1 - before) / (1 - alpha) * (1 - alpha / before)
        z = before.sqrt() * x0 + (1 - before - variance).clamp(min=0).sqrt() * noise
        if step in course.injects:
            z = z + variance.sqrt() * inject(step).to(z)
    return z
