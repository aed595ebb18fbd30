"""Looks: the batch under its conditions, and, where it is asked, what lies outside the contact under others.

Two predictions at every step, blended by where the finger touches (MultiDiffusion, Bar-Tal et al. 2023), and two
pictures blended in the end. Every layer sees one look only, so that neither leaks into the other's part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.conditioning.conditions import Conditioning, Conditions, batched
from fpsynth.diffusion.denoiser.guidance import predictor
from fpsynth.diffusion.denoiser.protocol import Told
from fpsynth.diffusion.model import Model
from fpsynth.diffusion.samplers import Predict
from fpsynth.diffusion.settings import Settings


@dataclass(frozen=True)
class Look:
    """A batch under some conditions, and (B, 1, H, W) in [0, 1] where they hold; None: everywhere."""

    told: Told
    predict: Predict
    where: Tensor | None = None


def looks_of(model: Model, settings: Settings, each: Sequence[Conditioning]) -> list[Look]:
    """One look; or that of the contact and that of what lies outside."""
    if not any(one.background for one in each):
        return [_look(model, settings, each)]
    contact = torch.stack([_contact(one) for one in each])[:, None]
    behind = [replace(one, styles=one.background, prompt="") if one.background else one for one in each]
    return [_look(model, settings, each, contact), _look(model, settings, behind, 1 - contact)]


def _contact(one: Conditioning) -> Tensor:
    return torch.ones_like(next(iter(one.planes.values()))) if one.contact is None else one.contact


def _look(model: Model, settings: Settings, each: Sequence[Conditioning], where: Tensor | None = None) -> Look:
    conditions = conditions_of(model, settings, each)
    told = model.denoiser.tell(conditions)
    return Look(told, predictor(model.denoiser, conditions, settings.cfg_scale, told), where)


def conditions_of(model: Model, settings: Settings, each: Sequence[Conditioning]) -> Conditions:
    """The conditions as a batch that the model understands."""
    return batched(each, model.denoiser.planes, settings.control_scale, settings.style_scale)


def seen(looks: Sequence[Look]) -> Predict:
    """The prediction of all looks, each where it holds."""
    return lambda z, t: united(looks, [look.predict(z, t) for look in looks])


def united(looks: Sequence[Look], parts: Sequence[Tensor]) -> Tensor:
    """One tensor (B, C, h, w) of those of all looks."""
    shared = [
        part if look.where is None else part * _at(look.where, part) for look, part in zip(looks, parts, strict=True)
    ]
    return torch.stack(shared).sum(0)


def _at(where: Tensor, part: Tensor) -> Tensor:
    """Shares of pixels as shares of the cells of a tensor (B, C, h, w)."""
    height, width = part.shape[2:]
    return F.adaptive_avg_pool2d(where.to(part), (height, width))
