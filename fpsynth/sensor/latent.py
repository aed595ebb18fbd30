"""Latent print: what a touch left on a thing, dusted with powder and photographed.

What makes its look: little contrast, a print in patches, powder that also sticks to the surface and follows the brush,
and the texture of the surface: glass is even, metal brushed, card and paper fibrous, plastic grained.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.sensor.device import Device, Ranges
from fpsynth.sensor.fields import axes, blur, grain, mottle, white
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


def expose(touch: Touch, device: Device, rng: np.random.Generator) -> Tensor:
    """Grey levels (height, width), not yet clipped."""
    p = device.parameters
    back = bare(touch.area, device)
    left = (0.75 + p["patchy"] * mottle(rng, back, 45) + 0.3 * touch.load).clamp(0.05, 1)
    skips = (1 - p["skip"] * grain(rng, back, 0.9).clamp(0, 1.2)).clamp(0, 1)
    powder = blur(touch.area * left * skips, p["blur"])
    strokes = p["brush"] * streaks(rng, back, float(rng.uniform(0, math.pi))).clamp_min(0)
    powder = powder + (1 - powder) * strokes
    return back - p["contrast"] * powder + p["noise"] * white(rng, back)


def bare(like: Tensor, device: Device) -> Tensor:
    """The surface without a print, under an uneven lamp."""
    p, fixed = device.parameters, device.fixed()
    surface = SURFACES[device.surface or "glass"]
    y, x = axes(like)
    turn = float(fixed.uniform(0, 2 * math.pi))
    lamp = p["tilt"] * (x * math.cos(turn) + y * math.sin(turn))
    grey = p["back"] + lamp + surface.cloud * mottle(fixed, like, 40) + surface.fibre * grain(fixed, like, 1.2)
    return grey + surface.brushed * streaks(fixed, like, float(fixed.uniform(0, math.pi)))


def streaks(rng: np.random.Generator, like: Tensor, turn: float) -> Tensor:
    """Noise of about unit variance drawn out along lines at `turn` radians."""
    height, width = like.shape
    y, x = axes(like)
    along = x * math.cos(turn) + y * math.sin(turn)
    across = y * math.cos(turn) - x * math.sin(turn)
    where = torch.stack([along / 1.5, across / 1.5], -1)[None]
    lines = torch.from_numpy(rng.standard_normal((1, 1, max(height, width) // 3, 12), dtype=np.float32))
    return F.grid_sample(lines.to(like.device), where, mode="bilinear", align_corners=True)[0, 0] / 0.67
