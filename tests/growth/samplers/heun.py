"""Heun's method on the probability flow: two evaluations a step, but for the last.

With a = cos(angle) and s = sin(angle), the flow is dz / dangle = v = a e - s x0 (Salimans & Ho 2022).
"""

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from fpsynth.diffusion.samplers.course import Course, Inject, Predict, set_to
from fpsynth.diffusion.schedule import Schedule


def scheduler(schedule: Schedule, steps: int) -> DDIMScheduler:
    return set_to(DDIMScheduler, schedule, steps)


def sample(predict: Predict, start: Tensor, inject: Inject, course: Course) -> Tensor:
    schedule, z = course.schedule, start

    def velocity(z: Tensor, t: Tensor) -> Tensor:
        (a, s), (x0, noise) = schedule.scales(t), schedule.split(z, predict(z, t), t)
        return a * noise - s * x0

    for step in course.steps:
        t, after = course.times[step], course.after(step)
        if after is None:
            return schedule.clean(z, predict(z, t), t)
        ahead = torch.tensor(after, device=z.device)
        turn = _angle(schedule, ahead) - _angle(schedule, t)
        first = velocity(z, t)
        z = z + turn * (first + velocity(z + turn * first, ahead)) / 2
    return z


def _angle(schedule: Schedule, t: Tensor) -> Tensor:
    a, s = schedule.scales(t)
    return torch.atan2(s, a)
