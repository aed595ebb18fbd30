"""Optical sensor: frustrated total internal reflection in a prism. Untouched glass is white, skin darkens it.

What makes its look: a saturated, nearly even background with specks of dust; darkness that follows load; pores; a soft
lens; two interlaced fields that comb the outline of a moving finger.
"""

import torch
from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.fields import blur, broad_blur, mottle, specks, vignette, white
from fpsynth.sensor.device import Devices, Ranges
from fpsynth.sensor.kind import Kind
from fpsynth.sensor.touch import Touch

RANGES: Ranges = {
    "gain": (4.5, 9),
    "bias": (-0.12, 0.14),
    "detail": (0.8, 1.4),
    "rough": (0.2, 0.52),
    "back": (246, 262),
    "lamp": (0, 9),
    "dark": (0, 70),
    "density": (0.62, 0.95),
    "mottle": (0.03, 0.11),
    "blur": (0.65, 1.05),
    "noise": (0.2, 2.2),
    "comb": (-2, 3.4),
    "dust": (0, 24),
}

DOTTED = 1.2
"""How much darker ridges are where asperities press, per unit of the ridges' height."""


def expose(touch: Touch, devices: Devices, chance: Chance) -> Tensor:
    """Grey levels (B, height, width), not yet clipped."""
    p, fixed = devices.parameters, devices.fixed()
    ink = blur(_absorbed(touch, p["density"], p["mottle"], chance), devices.values("blur"))
    ink = _combed(ink, touch.contact, [round(shift) for shift in devices.values("comb")], chance)
    back = p["back"] - p["lamp"] * vignette(fixed, ink)
    back = back.clamp_max(254.4) - 50 * specks(fixed, ink, [int(n) for n in devices.values("dust")], 0.7).clamp(0, 1.3)
    return back - (back - p["dark"]) * ink + p["noise"] * ink * white(chance, ink)


def _absorbed(touch: Touch, density: Tensor, mottled: Tensor, chance: Chance) -> Tensor:
    """Share of the light that is lost: the area touched, times how closely it touches."""
    close = density + 0.45 * touch.load + 0.1 * touch.height.clamp_min(0) + DOTTED * touch.uneven
    close = close + mottled * mottle(chance, touch.area, 24)
    return touch.area * close.clamp(0.3, 1)


def _combed(ink: Tensor, contact: Tensor, shifts: list[int], chance: Chance) -> Tensor:
    """Odd rows, read a field later, displaced by shifts > 0 pixels, either way, near the sides of the contact."""
    signed = [max(shift, 0) * (1 if rng.random() < 0.5 else -1) for shift, rng in zip(shifts, chance, strict=True)]
    moved = torch.stack([torch.roll(plane, shift, 1) for plane, shift in zip(ink, signed, strict=True)])
    odd = (torch.arange(ink.shape[1], device=ink.device) % 2 == 1)[:, None]
    rim = broad_blur(contact, 10) < 0.66
    return torch.where(odd & rim, 0.75 * moved + 0.25 * ink, ink)


KIND = Kind(RANGES, expose)
