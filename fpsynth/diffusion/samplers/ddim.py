"""DDIM (Song et al. 2021), with noise where eta > 0."""

from diffusers import DDIMScheduler
from torch import Tensor

from fpsynth.diffusion.samplers.course import Course, Inject, Predict, set_to
from fpsynth.diffusion.schedule import Schedule


def scheduler(schedule: Schedule, steps: int) -> DDIMScheduler:
    """diffusers' own."""
    return set_to(DDIMScheduler, schedule, steps)


def sample(predict: Predict, start: Tensor, inject: Inject, course: Course) -> Tensor:
    """See Sampler."""
    solver, z = scheduler(course.schedule, len(course.times)), start
    for step in course.steps:
        t = course.times[step]
        extra = {"variance_noise": inject(step).to(z)} if step in course.injects else {}
        z = solver.step(predict(z, t), t, z, eta=course.eta, **extra, return_dict=False)[0]
    return z
