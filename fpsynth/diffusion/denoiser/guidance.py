"""A denoiser under its conditions as a plain function, guided by its words and by a classifier."""

from collections.abc import Callable

import torch
from torch import Tensor

from fpsynth.conditioning.conditions import Conditions
from fpsynth.diffusion.denoiser.protocol import Denoiser, Told, joined
from fpsynth.diffusion.samplers import Predict
from fpsynth.diffusion.schedule import Schedule

Towards = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(z, x0, t), x0 the clean latent that the denoiser says -> gradient of the log probability that the image is what it
is to be, times the strength of guidance."""
STEEPEST = 4.0
"""Largest ratio of noise to image at which the gradient counts in full: beyond it hardly anything can be read."""


def predictor(denoiser: Denoiser, conditions: Conditions, guidance: float = 1.0, told: Told | None = None) -> Predict:
    """(z, t) -> prediction; guidance 1 is none. told: what the conditions come to, where that is known."""
    told = told or denoiser.tell(conditions)
    if guidance == 1:
        return lambda z, t: ask(denoiser, told, z, t)
    both = joined(denoiser.tell(conditions.unguided()), told)

    def guided(z: Tensor, t: Tensor) -> Tensor:
        """u + w (c - u) (Ho & Salimans 2022)."""
        without, told = ask(denoiser, both, torch.cat([z, z]), t).chunk(2)
        return without + guidance * (told - without)

    return guided


def ask(denoiser: Denoiser, told: Told, z: Tensor, t: Tensor) -> Tensor:
    """The prediction with the denoiser's own control features."""
    return denoiser.predict(told, z, t, denoiser.control(told, z, t))


def moved(predict: Predict, towards: Towards, schedule: Schedule) -> Predict:
    """Classifier guidance (Dhariwal & Nichol 2021): the score moved by a gradient.

    By Tweedie's formula x0 = (z + s^2 score) / a, so that x0 moves by s^2 / a times the gradient.
    """

    def predicted(z: Tensor, t: Tensor) -> Tensor:
        a, s = schedule.scales(t.view(1))
        x0 = schedule.clean(z, predict(z, t), t)
        return schedule.saying(x0 + s * (s / a).clamp(max=STEEPEST) * towards(z, x0, t), z, t)

    return predicted
