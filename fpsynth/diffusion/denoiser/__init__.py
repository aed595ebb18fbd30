"""Denoiser: the network of a diffusion model and what it is told; one folder a backbone, one entry in the table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from fpsynth.diffusion.denoiser.protocol import Denoiser, Told, joined
from fpsynth.diffusion.denoiser.unet import UnetSettings, begin_unet, load_unet

Load = Callable[[Path, str | None, str, torch.dtype, tuple[str, ...]], Denoiser]
"""(model directory, student, device, dtype, planes) -> denoiser."""


@dataclass(frozen=True)
class Backbone:
    """settings: a pydantic model with `kind` and `build(channels, factor, planes, seed)`; load: see Load; begin: as
    load, of a network that need not know the planes yet; None: load."""

    settings: type[Any]
    load: Load
    begin: Load | None = None


BACKBONES: Final[dict[str, Backbone]] = {"UNet2DConditionModel": Backbone(UnetSettings, load_unet, begin_unet)}
"""The class by which a model directory names its network -> how it is built and loaded."""

__all__ = ["BACKBONES", "Backbone", "Denoiser", "Load", "Told", "joined"]
