"""A denoiser under its conditions as a plain function, with classifier-free guidance."""

import torch
from torch import Tensor

from fpsynth.conditioning.conditions import Conditions
from fpsynth.diffusion.denoiser.protocol import Denoiser, Told, joined
from fpsynth.diffusion.samplers import Predict


def predictor(denoiser: Denoiser, conditions: Conditions, guidance: float = 1.0) -> Predict:
    """(z, t) -> prediction; guidance 1 is none."""
    told = denoiser.tell(conditions)
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
