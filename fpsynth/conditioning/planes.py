"""The control planes by name: what a ControlNet can be shown of an impression.

To add one: a function from an impression to a plane, and an entry in PLANES.
"""

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

from fpsynth.errors import UserError
from fpsynth.impression import Impression
from fpsynth.sensor.touch import touch as press

Plane = Callable[[Impression], Tensor]
"""An impression to a plane (H, W) float32 in [0, 1]."""


def ridge(impression: Impression) -> Tensor:
    """The ridge wave with its detail; 0.5 where nothing touches."""
    wave = ((impression.ridges + impression.detail + 1) / 2).clamp(0, 1)
    return 0.5 + (wave - 0.5) * impression.contact


def contact(impression: Impression) -> Tensor:
    """1 where skin touches."""
    return impression.contact


def load(impression: Impression) -> Tensor:
    """How heavily the skin lies on the surface: 0.5 usual, towards 0 dry, light or worn, towards 1 wet or firm."""
    heavy = 0.5 + 0.35 * impression.moisture + 0.5 * (impression.pressure - 0.5) - 0.5 * impression.wear
    return heavy.clamp(0, 1) * impression.contact


def touch(impression: Impression) -> Tensor:
    """The share of each pixel that touches a usual surface: ridges with their breaks, bridges and pores."""
    return press([impression]).area[0]


PLANES: Final[dict[str, Plane]] = {"ridge": ridge, "contact": contact, "load": load, "touch": touch}


def control_planes(impression: Impression, names: Sequence[str] | None = None) -> Tensor:
    """(P, H, W) float32 in [0, 1]: the planes of these names, or all of PLANES. Raises UserError for an unknown one."""
    chosen = tuple(PLANES) if names is None else names
    if unknown := [name for name in chosen if name not in PLANES]:
        raise UserError(f"unknown control plane {unknown[0]!r}; known: {', '.join(PLANES)}")
    return torch.stack([PLANES[name](impression) for name in chosen])
