"""The skin's own unevenness in one capture: what breaks ridges, closes valleys, and differs from touch to touch.

The asperities follow the ridges: where load is missing a ridge breaks across its whole width into dots and dashes;
where there is too much, water creeps along the valleys and closes them lengthwise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from fpsynth.finger.fields import column
from fpsynth.impression.chance import Chance
from fpsynth.impression.draws import Array, Draws
from fpsynth.impression.fields import grain, mottle
from fpsynth.impression.grained import flow, grained

ASPERITY, LUMP = 1.0, 6.5
"""Sizes in pixels at 500 ppi of the asperities, and of the unevenness along a ridge."""
BREAK, BRIDGE = (1.7, 3.2), (7.0, 1.5)
"""Sizes in pixels at 500 ppi, along and across the flow, of what breaks a ridge and of what closes a valley."""
SHARES = (1.02, 0.5, 0.2)
"""Deviations of asperities, of what follows the flow and of unevenness; fitted to real sets."""
SKEW = 0.8
"""Of the breaks: they are gaps, narrow and deep, between dashes of nearly full height (lognormal, this wide)."""
MOISTENS = 1.4
"""How fast bridges replace breaks as load grows: breaks alone at -.5 / MOISTENS, bridges alone at +.5 / MOISTENS."""
PATCH, PATCHY = 38.0, 0.45
"""Size in pixels at 500 ppi of patches of one roughness; the deviation of its logarithm between them in usual skin."""


Plane = TypeVar("Plane", Tensor, Array)


def load_of(pressure: Plane, moisture: Plane) -> Plane:
    """Pressure and moisture together, about [-1, 1]; 0 is usual."""
    return 0.8 * moisture + 0.9 * (pressure - 0.5)


@dataclass(frozen=True)
class Skin:
    """Skin of a batch of captures: ridges [-1, 1] and load (B, H, W), roughness (B, 1, 1), and the resolution."""

    ridges: Tensor
    load: Tensor
    roughness: Tensor
    ppi: int


def asperities(draws: Sequence[Draws], skin: Skin) -> Tensor:
    """(B, H, W), of about unit variance in good skin: to be added to the ridges, scaled.

    Drawn from the captures' own chance and, at a variation below 1, from their fingers' habit.
    """
    habit, own = zip(*(one.shares for one in draws), strict=True)
    planes = column(own, skin.ridges.device) * _drawn([one.own for one in draws], skin)
    if any(habit):
        planes = planes + column(habit, skin.ridges.device) * _drawn([one.habit for one in draws], skin)
    return planes


def _drawn(rngs: Sequence[np.random.Generator], skin: Skin) -> Tensor:
    """Fine asperities, breaks or bridges as the load has it, and the unevenness along a ridge, in patches."""
    ridges, unit, chance = skin.ridges, skin.ppi / 500, Chance.of(rngs, skin.ridges.device)
    near, wet = flow(ridges), (0.5 + MOISTENS * skin.load).clamp(0, 1)
    breaks, bridges = (grained(chance, near, ridges, along * unit, across * unit) for along, across in (BREAK, BRIDGE))
    dry = SHARES[1] * (1 - wet).sqrt() * _gaps(breaks)
    dry = dry + SHARES[0] * grain(chance, ridges, ASPERITY * unit) + SHARES[2] * mottle(chance, ridges, LUMP * unit)
    dry = torch.where(dry > 0, dry * (0.6 + 0.6 * ridges).clamp(0, 1), dry)  # valleys are not raised
    together = dry + SHARES[1] * wet.sqrt() * bridges
    return _patches(mottle(chance, ridges, PATCH * unit), skin.roughness) * together


def _gaps(normal: Tensor) -> Tensor:
    """Normal noise turned into noise of zero mean and unit variance with a long tail downwards."""
    gaps: Tensor = (1 - (SKEW * normal - 0.5 * SKEW**2).exp()) / math.sqrt(math.expm1(SKEW**2))
    return gaps


def _patches(normal: Tensor, roughness: Tensor) -> Tensor:
    """How many times rougher than usual each place is; rougher skin is also the more uneven."""
    spread = PATCHY * roughness
    return (spread * normal - 0.5 * spread**2).exp()
