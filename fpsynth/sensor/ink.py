"""Ink on card: a finger rolled in printer's ink, pressed on paper, scanned.

What makes its look: paper fibre and tone, ink that floods where it is thick and skips where it is thin, blots between
ridges, smears, uneven pressing, and a scanner's own softness and light.
"""

import math

import torch
from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.fields import axes, blur, broad_blur, grain, mottle, white
from fpsynth.sensor.device import Devices, Ranges
from fpsynth.sensor.kind import Kind
from fpsynth.sensor.touch import Touch

RANGES: Ranges = {
    "gain": (3.0, 5.5),
    "bias": (-0.06, 0.2),
    "detail": (0.8, 1.4),
    "rough": (0.1, 0.24),
    "back": (205, 248),
    "dark": (10, 60),
    "fibre": (1.5, 6),
    "cloud": (1, 6),
    "tilt": (0, 10),
    "flood": (0.1, 0.35),
    "skip": (0.1, 0.5),
    "smear": (0, 0.16),
    "blur": (0.6, 0.95),
    "noise": (1.5, 4.5),
}


def expose(touch: Touch, devices: Devices, chance: Chance) -> Tensor:
    """Grey levels (B, height, width), not yet clipped."""
    p = devices.parameters
    thick = mottle(chance, touch.area, 16) * 0.6 + mottle(chance, touch.area, 70) * 0.8
    ink = _inked(touch, thick, p["flood"], p["skip"], chance)
    film = p["smear"] * broad_blur(touch.contact, 10) * (0.5 + 0.5 * thick).clamp(0, 1.4)
    ink = blur(ink + (1 - ink) * film, devices.values("blur"))
    paper = card(touch.area, devices)
    return paper - (paper - p["dark"]) * ink + p["noise"] * (1 - 0.4 * ink) * white(chance, ink)


def _inked(touch: Touch, thick: Tensor, flood: Tensor, skip: Tensor, chance: Chance) -> Tensor:
    """Share of the paper covered: thick ink runs into valleys, thin ink skips the paper's pits."""
    valleys = touch.contact * torch.sigmoid(6 * (0.45 * touch.height + touch.load + flood * thick - 0.3))
    pits = (grain(chance, thick, 0.8) - 0.4 - 0.5 * thick - touch.load).clamp_min(0)
    return (torch.maximum(touch.area, 0.8 * valleys) * (1 - skip * pits)).clamp(0, 1)


def card(like: Tensor, devices: Devices) -> Tensor:
    """The card without a print: fibre, clouds, the scanner's uneven light."""
    p, fixed = devices.parameters, devices.fixed()
    y, x = axes(like)
    turn = fixed.uniform(0, 2 * math.pi)
    light = p["tilt"] * (x * turn.cos() + y * turn.sin())
    return p["back"] + light + p["fibre"] * grain(fixed, like, 1.1) * 0.6 + p["cloud"] * mottle(fixed, like, 22)


KIND = Kind(RANGES, expose)
