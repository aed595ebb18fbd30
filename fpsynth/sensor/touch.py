"""Where skin meets a surface: which part of every pixel touches, given ridge height, pressure, moisture and wear.

Model: skin touches where its height, roughened at the scale of asperities, exceeds a level that load lowers
(Persson, "Theory of rubber friction and contact mechanics", 2001, in its simplest reading: real contact grows with
load from crests to valleys). Dry skin is stiff and rough, so that crests touch in spots; moist skin is soft and water
fills the valleys (Adams et al., "Finger pad friction and its role in grip and touch", 2013). The asperities follow the
ridges: where load is missing a ridge breaks across its whole width into dots and dashes; where there is too much, water
creeps along the valleys and closes them lengthwise.

    load    = 0.8 moisture + 0.9 (pressure - 1/2) + bias
    height  = (1 - wear / 2) ridges + shown detail + roughness (1 + stiff max(-load, 0)) grain
    area    = contact * sigmoid(gain (height + 0.9 load))
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fpsynth.finger.fields import column
from fpsynth.impression import Impression
from fpsynth.sensor.chance import Chance
from fpsynth.sensor.fields import grain, mottle
from fpsynth.sensor.grained import flow, grained

ASPERITY, CLUSTER, LUMP = 1.0, 3.0, 6.5
"""Sizes in pixels of the asperities, of their clusters, and of the unevenness along a ridge."""
BREAK, BRIDGE = (1.7, 3.2), (7.0, 1.5)
"""Sizes in pixels, along and across the flow, of what breaks a ridge and of what closes a valley."""
SHARES = (0.64, 0.79, 0.44, 0.55)
"""Deviations of asperities, of what follows the flow, of clusters and of unevenness; fitted to real sets."""
SKEW = 0.8
"""Of the breaks: they are gaps, narrow and deep, between dashes of nearly full height (lognormal, this wide)."""
MOISTENS = 1.4
"""How fast bridges replace breaks as load grows: breaks alone at -.5 / MOISTENS, bridges alone at +.5 / MOISTENS."""
PATCH, PATCHY = 38.0, 0.6
"""Size in pixels of patches of one roughness, and the deviation of its logarithm between them in usual skin."""
STIFF = 1.9
"""How many times rougher skin acts per unit of missing load."""
WORN = 0.55
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
    raised = height + rough * _asperities(chance, ridges, load) + 0.9 * load
    return Touch(contact * torch.sigmoid(parameters["gain"] * raised), load, height, contact)


def _patches(chance: Chance, like: Tensor, roughness: Tensor) -> Tensor:
    """How many times rougher than usual each place is; rougher skin is also the more uneven."""
    spread = PATCHY * roughness
    return (spread * mottle(chance, like, PATCH) - 0.5 * spread**2).exp()


def _asperities(chance: Chance, ridges: Tensor, load: Tensor) -> Tensor:
    """Fine asperities, breaks or bridges as the load has it, clusters, and the unevenness along a ridge."""
    near, wet = flow(ridges), (0.5 + MOISTENS * load).clamp(0, 1)
    breaks, bridges = (grained(chance, near, ridges, *size) for size in (BREAK, BRIDGE))
    dashes = _gaps(breaks)
    dashes = torch.where(dashes > 0, dashes * (0.6 + 0.6 * ridges).clamp(0, 1), dashes)  # valleys are not raised
    followed = (1 - wet).sqrt() * dashes + wet.sqrt() * bridges
    fine = grain(chance, ridges, ASPERITY)
    clusters, uneven = (mottle(chance, ridges, size) for size in (CLUSTER, LUMP))
    return SHARES[0] * fine + SHARES[1] * followed + SHARES[2] * clusters + SHARES[3] * uneven


def _gaps(normal: Tensor) -> Tensor:
    """Normal noise turned into noise of zero mean and unit variance with a long tail downwards."""
    gaps: Tensor = (1 - (SKEW * normal - 0.5 * SKEW**2).exp()) / math.sqrt(math.expm1(SKEW**2))
    return gaps
