"""Contactless camera: a photograph of the fingertip, turned so that ridges are dark.

Nothing touches, so ridges neither break nor merge: the image is the skin's relief under a lamp, soft away from the
plane of focus, on the shaded round of the finger before a plain background.
"""

import math

import torch
from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.fields import axes, blur, broad_blur, grain, mottle, vignette, white
from fpsynth.sensor.device import Devices, Ranges
from fpsynth.sensor.kind import Kind
from fpsynth.sensor.touch import Touch

RANGES: Ranges = {
    "gain": (1.5, 3),
    "bias": (-0.1, 0.1),
    "detail": (0.8, 1.4),
    "rough": (0.05, 0.1),
    "skin": (135, 195),
    "behind": (15, 235),
    "contrast": (28, 70),
    "relief": (0, 0.35),
    "round": (25, 75),
    "texture": (2, 6),
    "focus": (0.7, 1.2),
    "defocus": (1.4, 2.6),
    "noise": (1.2, 4.5),
}


def expose(touch: Touch, devices: Devices, chance: Chance) -> Tensor:
    """Grey levels (B, height, width), not yet clipped."""
    p, fixed = devices.parameters, devices.fixed()
    body = broad_blur(touch.contact, 18)
    ridges = _lit(touch.height.clamp(-1.2, 1.2), p["relief"], fixed.uniform(0, 2 * math.pi))
    sharp = (2.2 * (body - 0.45)).clamp(0, 1)
    ridges = sharp * blur(ridges, devices.values("focus")) + (1 - sharp) * blur(ridges, devices.values("defocus"))
    shade = p["skin"] - p["round"] * (1 - body) - 0.3 * p["round"] * vignette(fixed, body)
    shade = shade + p["texture"] * (mottle(chance, body, 30) + 0.4 * grain(chance, body, 1.5))
    finger = shade - 0.5 * p["contrast"] * (0.4 + 0.6 * body) * ridges
    outline = torch.sigmoid((body - 0.12) * 40)
    grey = outline * finger + (1 - outline) * _background(body, p["behind"], fixed)
    return grey + p["noise"] * white(chance, grey)


def _lit(height: Tensor, relief: Tensor, turn: Tensor) -> Tensor:
    """Relief under a lamp at `turn` radians: height, and a little of its slope toward the lamp."""
    slope_y, slope_x = torch.gradient(height, dim=(1, 2))
    return height + relief * (slope_x * turn.cos() + slope_y * turn.sin())


def _background(like: Tensor, grey: Tensor, fixed: Chance) -> Tensor:
    y, x = axes(like)
    turn = fixed.uniform(0, 2 * math.pi)
    return grey + 10 * (x * turn.cos() + y * turn.sin()) + 3 * mottle(fixed, like, 60)


KIND = Kind(RANGES, expose)
