"""A canvas: sampling that starts from a given latent, and that keeps a part of it.

Start: noise is added to the given latent up to a time, and the sampler goes on from there (SDEdit, Meng et al. 2022).
Keep: whatever the network says, in the kept cells its clean latent is the given one, so that every sampler ends there
(masked sampling as in GLIDE, Nichol et al. 2022, by the prediction and not by the latent).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fpsynth.diffusion.samplers import Course, Predict
from fpsynth.diffusion.schedule import Schedule


@dataclass(frozen=True)
class Canvas:
    """Of one image: latents (C, h, w); keep (h, w) in [0, 1], 1 where they stay; strength in (0, 1], 1: from noise."""

    latents: Tensor
    keep: Tensor
    strength: float = 1.0


def begun(course: Course, strength: float) -> Course:
    """The course without its first steps: so that about this share of them is taken, at least one."""
    steps = len(course.times)
    return replace(course, begin=steps - min(max(round(strength * steps), 1), steps))


def start_on(canvases: list[Canvas], noise: Tensor, course: Course) -> Tensor:
    """z (B, C, h, w) at the course's first step; from the very first one, noise alone."""
    if course.begin == 0:
        return noise
    given = torch.stack([canvas.latents for canvas in canvases]).to(noise)
    return course.schedule.noisy(given, noise, course.times[course.begin])


def keeping(predict: Predict, canvases: list[Canvas], schedule: Schedule) -> Predict:
    """The prediction that says the given latents wherever they are to be kept."""
    given = torch.stack([canvas.latents for canvas in canvases])
    keep = torch.stack([canvas.keep for canvas in canvases])[:, None]

    def kept(z: Tensor, t: Tensor) -> Tensor:
        output = predict(z, t)
        return torch.lerp(output, schedule.saying(given.to(z), z, t), keep.to(z))

    return kept
