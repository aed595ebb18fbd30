"""Where skin meets a surface: which part of every pixel touches, given ridge height, pressure, moisture and wear.

Model: skin touches where its height, roughened at the scale of asperities, exceeds a level that load lowers
(Persson, "Theory of rubber friction and contact mechanics", 2001, in its simplest reading: real contact grows with
load from crests to valleys). Dry skin is stiff and rough, so that crests touch in spots; moist skin is soft and water
fills the valleys (Adams et al., "Finger pad friction and its role in grip and touch", 2013).

    load    = 0.8 moisture + 0.9 (pressure - 1/2) + bias
    height  = (1 - wear / 2) ridges + shown detail + roughness (1 + stiff max(-load, 0)) grain
    area    = contact * sigmoid(gain (height + 0.9 load))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fpsynth.finger.fields import column
from fpsynth.impression import Impression
from fpsynth.sensor.chance import Chance
from fpsynth.sensor.fields import grain, mottle

ASPERITY, CLUSTER, LUMP = 1.0, 3.0, 6.5
"""Sizes in pixels of the asperities, of their clusters, and of the unevenness along a ridge."""
PATCH, PATCHY = 38.0, 0.6
"""Size in pixels of patches of one roughness, and the deviation of its logarithm between them in usual skin."""
STIFF = 1.2
"""How many times rougher skin acts per unit of missing load."""
WORN = 0.7
"""Roughness that wear brings."""


@dataclass(frozen=True)
class Touch:
    """Captures at the surface, all planes (B, height, width) float32.

    area     [0, 1], the share of a pixel that touches
    load     about [-1, 1], pressure and moisture together; 0 is usual
    height   ridge height, about [-1, 1], with detail
    contact  [0, 1], the contact's outline
    """

    area: Tensor
    load: Tensor
    height: Tensor
    contact: Tensor


def touch(impressions: Sequence[Impression], parameters: Mapping[str, Tensor], chance: Chance) -> Touch:
    """Press the skin of each impression on a surface.

    Parameters: gain (sharpness), bias (of the load), rough (of the skin), detail (how much of pores and edges shows).
    """
    rows = [(i.ridges, i.detail, i.contact, i.pressure, i.moisture, i.wear) for i in impressions]
    ridges, detail, contact, pressure, moisture, wear = (torch.stack(planes) for planes in zip(*rows, strict=True))
    roughness = column([i.roughness for i in impressions], ridges.device)
    load = 0.8 * moisture + 0.9 * (pressure - 0.5) + parameters["bias"]
    height = (1 - 0.5 * wear) * ridges + parameters["detail"] * detail
    rough = roughness * parameters["rough"] * _patches(chance, height, roughness)
    rough = rough * (1 + STIFF * (-load).clamp_min(0)) + WORN * wear
    raised = height + rough * _asperities(chance, height) + 0.9 * load
    return Touch(contact * torch.sigmoid(parameters["gain"] * raised), load, height, contact)


def _patches(chance: Chance, like: Tensor, roughness: Tensor) -> Tensor:
    """How many times rougher than usual each place is; rougher skin is also the more uneven."""
    spread = PATCHY * roughness
    return (spread * mottle(chance, like, PATCH) - 0.5 * spread**2).exp()


def _asperities(chance: Chance, like: Tensor) -> Tensor:
    """Unit variance: fine asperities, their clusters, and the unevenness along a ridge."""
    return (
        0.55 * grain(chance, like, ASPERITY) + 0.6 * mottle(chance, like, CLUSTER) + 0.58 * mottle(chance, like, LUMP)
    )
