"""Latent print: what a touch left on a thing, dusted with powder and photographed.

What makes its look: little contrast, a print in patches, powder that also sticks to the surface and follows the brush,
and the texture of the surface: glass is even, metal brushed, card and paper fibrous, plastic grained.
"""

import math
from dataclasses import astuple, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.finger.fields import column
from fpsynth.sensor.chance import Chance
from fpsynth.sensor.device import Devices, Ranges
from fpsynth.sensor.fields import axes, blur, grain, mottle, white
from fpsynth.sensor.kind import Kind
from fpsynth.sensor.touch import Touch

RANGES: Ranges = {
    "gain": (1.8, 3.6),
    "bias": (-0.08, 0.18),
    "detail": (0.8, 1.4),
    "rough": (0.12, 0.28),
    "back": (135, 220),
    "contrast": (75, 140),
    "patchy": (0.15, 0.45),
    "skip": (0.3, 0.8),
    "brush": (0.03, 0.13),
    "tilt": (5, 28),
    "blur": (0.7, 1.15),
    "noise": (3, 8),
}


@dataclass(frozen=True)
class Surface:
    """Texture of a thing, in grey levels: fibre (isotropic, fine), brushed (along lines), cloud (slow)."""

    fibre: float
    brushed: float
    cloud: float


SURFACES = {
    "glass": Surface(0.5, 0.5, 4),
    "card": Surface(6, 0, 6),
    "plastic": Surface(4, 1, 5),
    "metal": Surface(1.5, 5, 6),
    "paper": Surface(9, 0, 8),
}


def expose(touch: Touch, devices: Devices, chance: Chance) -> Tensor:
    """Grey levels (B, height, width), not yet clipped."""
    p = devices.parameters
    back = bare(touch.area, devices)
    left = (0.75 + p["patchy"] * mottle(chance, back, 45) + 0.3 * touch.load).clamp(0.05, 1)
    skips = (1 - p["skip"] * grain(chance, back, 0.9).clamp(0, 1.2)).clamp(0, 1)
    powder = blur(touch.area * left * skips, devices.values("blur"))
    strokes = p["brush"] * streaks(chance, back, chance.uniform(0, math.pi)).clamp_min(0)
    powder = powder + (1 - powder) * strokes
    return back - p["contrast"] * powder + p["noise"] * white(chance, back)


def bare(like: Tensor, devices: Devices) -> Tensor:
    """The surface without a print, under an uneven lamp."""
    p, fixed = devices.parameters, devices.fixed()
    surfaces = [SURFACES[device.surface or "glass"] for device in devices.each]
    fibre, brushed, cloud = (column(of, devices.on) for of in zip(*map(astuple, surfaces), strict=True))
    y, x = axes(like)
    turn = fixed.uniform(0, 2 * math.pi)
    lamp = p["tilt"] * (x * turn.cos() + y * turn.sin())
    grey = p["back"] + lamp + cloud * mottle(fixed, like, 40) + fibre * grain(fixed, like, 1.2)
    return grey + brushed * streaks(fixed, like, fixed.uniform(0, math.pi))


def streaks(chance: Chance, like: Tensor, turn: Tensor) -> Tensor:
    """Noise of about unit variance drawn out along lines at `turn` (B, 1, 1) radians."""
    y, x = axes(like)
    along, across = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
    lines = chance.normal(1, max(like.shape[1:]) // 3, 12)
    where = torch.stack([along / 1.5, across / 1.5], -1)
    return F.grid_sample(lines, where, mode="bilinear", align_corners=True)[:, 0] / 0.67


KIND = Kind(RANGES, expose)
