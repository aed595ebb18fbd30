"""What was presented: the live finger, or a spoof of it (a "presentation attack instrument" in ISO/IEC 30107-3).

A spoof is cast of the very same touch: where the finger lay and how it pressed is drawn as for the live one, and the
minutiae are the finger's. What casting does to a print is told in Matsumoto et al., "Impact of artificial gummy fingers
on fingerprint systems" (SPIE 4677, 2002), Maltoni et al., "Handbook of Fingerprint Recognition" (3rd ed., 2022, ch. 9),
and shown in the sets of the LivDet contests (Ghiani et al., "Review of the fingerprint liveness detection competition
series", 2017): pores are lost, ridges flatten and broaden, air bubbles leave round gaps, the mould's edge is sharp and
presses a rim, the cast shrinks or spreads, and is wetter or drier than skin. A printed finger has a halftone in place
of pores and lies flat. Numbers are chosen by eye beside these; only their order is from the sources.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fpsynth.impression.draws import Draws, smooth_planes
from fpsynth.impression.skin import SkinMap


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a material does to a print; the defaults are a live finger's.

    lost      share of pores and other detail that it does not show
    broad     how much broader ridges are: added to the wave's middle height, [0, 0.5]
    bubbles   air bubbles in a square centimetre
    bubble_mm their usual radius
    rim       strength of the mould's edge, [0, 1]
    cut_mm    how far inside the touch's own outline the mould's edge lies
    stretch   relative widening of the print; less than 0: the cast shrinks
    moisture  shift of the moisture
    rough     roughness relative to skin
    lumps     strength of the unevenness of a kneaded mass
    flat      share of the pressure's differences that is lost
    halftone  strength of the dots of a printer
    """

    lost: float = 0.0
    broad: float = 0.0
    bubbles: float = 0.0
    bubble_mm: float = 0.2
    rim: float = 0.0
    cut_mm: float = 0.0
    stretch: float = 0.0
    moisture: float = 0.0
    rough: float = 1.0
    lumps: float = 0.0
    flat: float = 0.0
    halftone: float = 0.0


LIVE = Material()
MATERIALS: Mapping[str, Material] = {
    "live": LIVE,
    "gelatine": Material(
        lost=0.6, broad=0.22, bubbles=5, bubble_mm=0.24, rim=0.5, cut_mm=0.5, stretch=-0.03, moisture=0.22, rough=0.8
    ),
    "silicone": Material(
        lost=0.75, broad=0.1, bubbles=3, bubble_mm=0.17, rim=0.8, cut_mm=0.7, stretch=0.01, moisture=-0.2, rough=0.7
    ),
    "latex": Material(
        lost=0.85, broad=0.16, bubbles=5, bubble_mm=0.2, rim=0.7, cut_mm=0.4, stretch=-0.04, moisture=-0.1, rough=1.15
    ),
    "wood glue": Material(
        lost=0.55, broad=0.05, bubbles=6, bubble_mm=0.14, rim=1.0, cut_mm=0.6, stretch=-0.02, moisture=-0.22, rough=1.0
    ),
    "play-doh": Material(
        lost=0.95, broad=0.25, bubbles=1, bubble_mm=0.3, rim=0.3, cut_mm=0.3, stretch=0.04, moisture=0.12, rough=1.2,
        lumps=0.12,
    ),
    "2-D print": Material(lost=1.0, broad=0.06, rim=0.0, cut_mm=0.3, rough=0.5, flat=1.0, halftone=0.5),
}  # fmt: skip
"""By the words of the slot."""

EDGE_MM, RIM_MM, RIM_FAR_MM = 0.06, 0.13, 0.42
"""Softness of a mould's edge; half width of its rim; how far outside the edge the rim lies."""
SCREEN_MM, SCREEN_PIXELS = 0.17, 2.5
"""Pitch of a printer's dots (150 lines an inch), and the least that an image shows."""
LUMP_MM, GAP_MM = 0.8, 2.5
"""Sizes of the lumps of a kneaded mass, and of the stretches of a rim."""


def cast(skin: SkinMap, material: Material) -> SkinMap:
    """The map of a capture of the cast: it shrank, or was spread, evenly."""
    x, y = skin.distortion.stretch
    stretch = (x + material.stretch, y + material.stretch)
    return replace(skin, distortion=replace(skin.distortion, stretch=stretch))


def moulded(
    planes: Mapping[str, Tensor], depth: Tensor, material: Material, draws: Draws, pixel_mm: float
) -> dict[str, Tensor]:
    """The planes of an Impression that the material changes, each (height, width); none for a live finger.

    depth: (height, width) mm inside the contact. The capture's own draws stay where they are.
    """
    if material == LIVE:
        return {}
    ahead = _ahead(draws)
    ridges, pressure = planes["ridges"], planes["pressure"]
    ridges = ridges + material.broad * (1 - ridges**2)
    mean = (pressure * planes["contact"]).sum() / planes["contact"].sum().clamp_min(1)
    contact = (
        planes["contact"]
        * torch.sigmoid((depth - material.cut_mm) / EDGE_MM)
        * _sound(depth, material, ahead, pixel_mm)
    )
    rim = _rim(depth, material, ahead, pixel_mm)
    lumps = material.lumps * _field(ahead, depth, LUMP_MM / pixel_mm)
    return {
        "ridges": torch.lerp(ridges, torch.ones_like(rim), rim),
        "detail": (planes["detail"] * (1 - material.lost) + material.halftone * _screen(depth, pixel_mm)) * (1 - rim),
        "contact": torch.maximum(contact, rim),
        "pressure": torch.lerp(pressure, mean.expand_as(pressure), material.flat),
        "moisture": (planes["moisture"] + material.moisture + lumps).clamp(-1, 1),
    }


def _ahead(draws: Draws) -> Draws:
    """Draws that follow from those of the capture without taking any of them."""
    own, habit = (np.random.default_rng(int(copy.deepcopy(rng).integers(2**63))) for rng in (draws.own, draws.habit))
    return replace(draws, own=own, habit=habit)


def _field(draws: Draws, like: Tensor, scale: float) -> Tensor:
    height, width = like.shape
    return smooth_planes([draws], height, width, scale, like.device)[0]


def _rim(depth: Tensor, material: Material, draws: Draws, pixel_mm: float) -> Tensor:
    """[0, 1]: stretches of a line just outside the mould's edge."""
    off = (depth - material.cut_mm + RIM_FAR_MM) / RIM_MM
    stretches = torch.sigmoid(6 * (_field(draws, depth, GAP_MM / pixel_mm) - 1.2 + material.rim))
    return min(1.0, 2 * material.rim) * torch.exp(-(off**4)) * stretches


def _sound(like: Tensor, material: Material, draws: Draws, pixel_mm: float) -> Tensor:
    """[0, 1]: 0 in bubbles, 1 elsewhere."""
    rng = draws.chance
    height, width = like.shape
    count = int(rng.poisson(material.bubbles * height * width * (pixel_mm / 10) ** 2))
    sound = torch.ones(height, width)
    for x, y, size in zip(
        rng.uniform(0, width, count), rng.uniform(0, height, count), rng.gamma(6, 1 / 6, count), strict=True
    ):
        _burst(sound, (x, y), size * material.bubble_mm / pixel_mm)
    return sound.to(like.device)


def _burst(sound: Tensor, middle: tuple[float, float], radius: float) -> None:
    """Leave out a disc around `middle` (x, y), in pixels."""
    left, top = (max(0, math.floor(at - radius - 3)) for at in middle)
    window = sound[top : math.ceil(middle[1] + radius + 3), left : math.ceil(middle[0] + radius + 3)]
    y, x = (torch.arange(n) + start for n, start in zip(window.shape, (top, left), strict=True))
    away = torch.hypot(x[None, :] - middle[0], y[:, None] - middle[1])
    window.mul_(torch.sigmoid((away - radius) / 0.5))


def _screen(like: Tensor, pixel_mm: float) -> Tensor:
    """[-1, 1]: a printer's screen of dots at 45 degrees."""
    pitch = max(SCREEN_MM / pixel_mm, SCREEN_PIXELS)
    y, x = (torch.arange(n, device=like.device) for n in like.shape)
    turn = 2 * math.pi / (pitch * math.sqrt(2))
    down, up = turn * (x[None, :] + y[:, None]), turn * (x[None, :] - y[:, None])
    return (torch.cos(down) + torch.cos(up)) / 2
