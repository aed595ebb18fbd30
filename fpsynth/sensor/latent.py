"""Latent print: what a touch left on a thing, developed and photographed, dark on light.

What makes its look: little contrast, a print in patches, and the technique (Champod, Lennard, Margot & Stoilovic,
"Fingerprints and Other Ridge Skin Impressions", 2nd ed., 2016, ch. 4). Powder is grainy, also sticks to the surface and
follows the brush; cyanoacrylate fumes build sharp, closed ridges on a granular bed (in truth white; shown dark);
ninhydrin stains sweat in paper, so that ridges are rows of dots with soft rims. And the surface: glass is even,
metal brushed and darker, plastic pebbled, card coarse, paper full of fibres.
"""

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.finger.fields import column
from fpsynth.impression.chance import Chance
from fpsynth.impression.fields import axes, blur, grain, mottle, white
from fpsynth.sensor.device import Devices, Ranges
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
    """Texture of a thing, in grey levels.

    tone (of the whole), coarse (grain of 2 pixels), fibres (short and thin, every way), brushed (along lines), pebbles
    (bumps of 9 pixels), cloud (slow)
    """

    tone: float = 0
    coarse: float = 0
    fibres: float = 0
    brushed: float = 0
    pebbles: float = 0
    cloud: float = 4


SURFACES = {
    "glass": Surface(tone=4, coarse=0.5, brushed=0.5, cloud=3),
    "card": Surface(tone=8, coarse=9, fibres=2, cloud=5),
    "plastic": Surface(coarse=1, pebbles=7),
    "metal": Surface(tone=-14, coarse=1.5, brushed=8, cloud=6),
    "paper": Surface(tone=14, coarse=2.5, fibres=9, cloud=8),
}


@dataclass(frozen=True)
class Technique:
    """How a print is made visible, each but the last two relative to powder.

    contrast, patchy, skip, brush, blur  times the device's parameters of these names
    bed     grains on the surface all over, in grey levels
    dots    [0, 1], how far ridges are broken into dots
    """

    contrast: float = 1.0
    patchy: float = 1.0
    skip: float = 1.0
    brush: float = 1.0
    blur: float = 1.0
    bed: float = 0.0
    dots: float = 0.0


TECHNIQUES = {
    "powder": Technique(),
    "cyanoacrylate": Technique(contrast=0.85, patchy=0.5, skip=0.45, brush=0, blur=0.8, bed=11),
    "ninhydrin": Technique(contrast=0.9, patchy=1.2, skip=0.3, brush=0, blur=1.2, dots=0.65),
}


def expose(touch: Touch, devices: Devices, chance: Chance) -> Tensor:
    """Grey levels (B, height, width), not yet clipped."""
    used = [TECHNIQUES[device.technique or "powder"] for device in devices.each]
    t = {name: column([getattr(one, name) for one in used], devices.on) for name in TERMS}
    p = {name: value * t.get(name, 1) for name, value in devices.parameters.items()}
    back = bare(touch.area, devices)
    left = (0.75 + p["patchy"] * mottle(chance, back, 45) + 0.3 * touch.load).clamp(0.05, 1)
    skips = (1 - p["skip"] * grain(chance, back, 0.9).clamp(0, 1.2)).clamp(0, 1)
    stains = 1 - t["dots"] * torch.sigmoid(5 * (0.1 - grain(chance, back, DOT)))
    widths = [blur * one.blur for blur, one in zip(devices.values("blur"), used, strict=True)]
    shown = blur(touch.area * left * skips * stains, widths)
    strokes = p["brush"] * streaks(chance, back, chance.uniform(0, math.pi)).clamp_min(0)
    shown = shown + (1 - shown) * strokes
    bed = t["bed"] * (1 - shown) * grain(chance, back, 1.0).clamp_min(-0.5)
    return back - p["contrast"] * shown - bed + p["noise"] * white(chance, back)


TERMS = tuple(one.name for one in fields(Technique))
DOT = 1.7
"""Size in pixels of the dots of ninhydrin: sweat pores lie about 9 pixels apart along a ridge, grains of paper less."""


def bare(like: Tensor, devices: Devices) -> Tensor:
    """The surface without a print, under an uneven lamp."""
    p, fixed = devices.parameters, devices.fixed()
    surfaces = [SURFACES[device.surface or "glass"] for device in devices.each]
    s = {one.name: column([getattr(of, one.name) for of in surfaces], devices.on) for one in fields(Surface)}
    y, x = axes(like)
    turn = fixed.uniform(0, 2 * math.pi)
    lamp = p["tilt"] * (x * turn.cos() + y * turn.sin())
    grey = p["back"] + s["tone"] + lamp + s["cloud"] * mottle(fixed, like, 40) + s["coarse"] * grain(fixed, like, 2.0)
    grey = grey + s["pebbles"] * mottle(fixed, like, 9) - s["fibres"] * _fibres(fixed, like)
    return grey + s["brushed"] * streaks(fixed, like, fixed.uniform(0, math.pi))


def _fibres(chance: Chance, like: Tensor) -> Tensor:
    """About unit variance: short thin lines that lie every way."""
    ways = [_hatched(chance, like, chance.uniform(0, math.pi)).clamp_min(0) for _ in range(FIBRE_WAYS)]
    total = torch.stack(ways).sum(0)
    return (total - FIBRE_WAYS * 0.4) / (0.58 * math.sqrt(FIBRE_WAYS))


FIBRE_WAYS = 4


def _hatched(chance: Chance, like: Tensor, turn: Tensor) -> Tensor:
    """Noise of about unit variance, correlated over 2 pixels across and 14 along lines at `turn`."""
    side = max(like.shape[1:])
    y, x = axes(like)
    along, across = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
    lines = chance.normal(1, side // 2, side // 14)
    where = torch.stack([along / 1.5, across / 1.5], -1)
    return F.grid_sample(lines, where, mode="bilinear", align_corners=True)[:, 0] / 0.67


def streaks(chance: Chance, like: Tensor, turn: Tensor) -> Tensor:
    """Noise of about unit variance drawn out along lines at `turn` (B, 1, 1) radians."""
    y, x = axes(like)
    along, across = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
    lines = chance.normal(1, max(like.shape[1:]) // 3, 12)
    where = torch.stack([along / 1.5, across / 1.5], -1)
    return F.grid_sample(lines, where, mode="bilinear", align_corners=True)[:, 0] / 0.67


KIND = Kind(RANGES, expose)
