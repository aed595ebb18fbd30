"""Where skin meets a surface: which part of every pixel touches, given ridge height, pressure, moisture and wear.

Model: skin touches where its height, roughened at the scale of asperities, exceeds a level that load lowers
(Persson, "Theory of rubber friction and contact mechanics", 2001, in its simplest reading: real contact grows with
load from crests to valleys). Dry skin is stiff and rough, so that crests touch in spots; moist skin is soft and water
fills the valleys (Adams et al., "Finger pad friction and its role in grip and touch", 2013).

    load    = 0.8 moisture + 0.9 (pressure - 1/2) + bias
    height  = (1 - wear / 2) ridges + shown detail
    raised  = height + (roughness (1 + stiff max(-load, 0)) + worn wear) asperities
    skin    = contact * sigmoid(gain (raised + 0.9 load))
    area    = skin + (1 - skin) * 0.8 droplets
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from fpsynth.finger.fields import column
from fpsynth.impression import Impression
from fpsynth.impression.asperities import load_of

STIFF = 1.9
"""How many times rougher skin acts per unit of missing load."""
WORN = 0.3
"""Roughness that wear brings."""
WET = 0.8
"""Share of a pixel that a droplet covers."""
SKIN = ("ridges", "detail", "contact", "pressure", "moisture", "wear", "asperities", "droplets")
"""Planes of an impression that decide what touches."""
USUAL: Final[Mapping[str, float]] = {"gain": 3.0, "bias": 0.03, "rough": 0.3, "detail": 1.1}
"""Parameters of a surface in the middle of the sensors that are touched."""


@dataclass(frozen=True)
class Touch:
    """Captures at the surface, all planes (B, height, width) float32.

    area     [0, 1], the share of a pixel that touches
    load     about [-1, 1], pressure and moisture together; 0 is usual
    height   ridge height, about [-1, 1], with detail
    uneven   what asperities add to the height
    contact  [0, 1], the contact's outline
    """

    area: Tensor
    load: Tensor
    height: Tensor
    uneven: Tensor
    contact: Tensor


def touch(impressions: Sequence[Impression], parameters: Mapping[str, Tensor | float] = USUAL) -> Touch:
    """Press the skin of each impression on a surface.

    Parameters: gain (sharpness), bias (of the load), rough (of the skin), detail (how much of pores and edges shows).
    """
    rows = [[getattr(impression, name) for name in SKIN] for impression in impressions]
    ridges, detail, contact, pressure, moisture, wear, rises, wet = (torch.stack(p) for p in zip(*rows, strict=True))
    roughness = column([i.roughness for i in impressions], ridges.device)
    load = load_of(pressure, moisture) + parameters["bias"]
    height = (1 - 0.5 * wear) * ridges + parameters["detail"] * detail
    uneven = (roughness * parameters["rough"] * (1 + STIFF * (-load).clamp_min(0)) + WORN * wear) * rises
    raised = height + uneven + 0.9 * load
    skin = contact * torch.sigmoid(parameters["gain"] * raised)
    return Touch(skin + (1 - skin) * WET * wet, load, height, uneven, contact)
