"""Where skin meets a surface: which part of every pixel touches, given ridge height, pressure, moisture and wear.

Model: skin touches where its height, roughened at the scale of asperities, exceeds a level that load lowers
(Persson, "Theory of rubber friction and contact mechanics", 2001, in its simplest reading: real contact grows with
load from crests to valleys). Dry skin is stiff and rough, so that crests touch in spots; moist skin is soft and water
fills the valleys (Adams et al., "Finger pad friction and its role in grip and touch", 2013).

    load    = 0.8 moisture + 0.9 (pressure - 1/2) + bias
    height  = (1 - wear / 2) ridges + shown detail + roughness (1 + stiff max(-load, 0)) grain
    area    = contact * sigmoid(gain (height + 0.9 load))
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.impression import Impression
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
    """A capture at the surface, all planes (height, width) float32.

    area     [0, 1], the share of a pixel that touches
    load     about [-1, 1], pressure and moisture together; 0 is usual
    height   ridge height, about [-1, 1], with detail
    contact  [0, 1], the contact's outline
    """

    area: Tensor
    load: Tensor
    height: Tensor
    contact: Tensor


def touch(impression: Impression, parameters: Mapping[str, float], rng: np.random.Generator) -> Touch:
    """Press the skin on a surface.

    Parameters: gain (sharpness), bias (of the load), rough (of the skin), detail (how much of pores and edges shows).
    """
    load = 0.8 * impression.moisture + 0.9 * (impression.pressure - 0.5) + parameters["bias"]
    height = (1 - 0.5 * impression.wear) * impression.ridges + parameters["detail"] * impression.detail
    rough = impression.roughness * parameters["rough"] * _patches(rng, height, impression.roughness)
    rough = rough * (1 + STIFF * (-load).clamp_min(0)) + WORN * impression.wear
    raised = height + rough * _asperities(rng, height) + 0.9 * load
    area = impression.contact * torch.sigmoid(parameters["gain"] * raised)
    return Touch(area, load, height, impression.contact)


def _patches(rng: np.random.Generator, like: Tensor, roughness: float) -> Tensor:
    """How many times rougher than usual each place is; rougher skin is also the more uneven."""
    spread = PATCHY * roughness
    return (spread * mottle(rng, like, PATCH) - 0.5 * spread**2).exp()


def _asperities(rng: np.random.Generator, like: Tensor) -> Tensor:
    """Unit variance: fine asperities, their clusters, and the unevenness along a ridge."""
    return 0.55 * grain(rng, like, ASPERITY) + 0.6 * mottle(rng, like, CLUSTER) + 0.58 * mottle(rng, like, LUMP)
