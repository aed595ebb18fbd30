"""Euler's method on the probability flow, in the variance-exploding frame x = z / a_t (Karras et al. 2022)."""

import torch
from diffusers import EulerDiscreteScheduler
from torch import Tensor

from fpsynth.diffusion.samplers.course import Course, Inject, Predict, set_to, solve
from fpsynth.diffusion.schedule import Schedule


def scheduler(schedule: Schedule, steps: int) -> EulerDiscreteScheduler:
    """diffusers' own."""
    return set_to(EulerDiscreteScheduler, schedule, steps)


def sample(predict: Predict, start: Tensor, inject: Inject, course: Course) -> Tensor:
    """See Sampler. From the first step, pure noise is scaled to the largest sigma, as diffusers does."""
    solver = scheduler(course.schedule, len(course.times))
    solver.set_begin_index(course.begin)
    if course.begin == 0:
        return solve(solver, predict, start, course)
    sigma = solver.sigmas[course.begin]
    return solve(solver, predict, start * torch.sqrt(1 + sigma**2) / solver.init_noise_sigma, course)
