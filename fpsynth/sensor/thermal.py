"""Thermal sweep sensor: a line of pyroelectric cells under a moving finger, its strips stitched to an image.

A cell answers to a change of temperature, which dies away: an image is the contact less its surroundings, so ridges are
black, valleys white, the finger's tip wears a white halo and its sides a black one. Also: the stitched strip's wavering
left and right borders, streaks from single cells, both ends of the scale saturated. What a sweep does to the skin is in
fpsynth/impression/sweep.py.
"""

import numpy as np
import torch
from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.fields import blur, broad_blur, grain, line_noise, mottle, resize, white
from fpsynth.sensor.device import Devices, Ranges
from fpsynth.sensor.kind import Kind
from fpsynth.sensor.touch import Touch

RANGES: Ranges = {
    "gain": (3, 6),
    "bias": (0.02, 0.6),
    "rough": (0.24, 0.5),
    "back": (98, 120),
    "white": (234, 242),
    "strength": (340, 520),
    "reach": (4.5, 7),
    "tip": (100, 260),
    "sides": (80, 240),
    "detail": (1.2, 2.4),
    "blur": (0.5, 0.8),
    "noise": (0.6, 2.6),
    "weave": (2, 6),
    "streaks": (0, 14),
    "margin": (0.0, 0.14),
}


def expose(touch: Touch, devices: Devices, chance: Chance) -> Tensor:
    """Grey levels (B, height, width), not yet clipped."""
    p = devices.parameters
    area = blur(touch.area, devices.values("blur"))
    change = area - blur(area, devices.values("reach"))
    inside = broad_blur(touch.contact, 6)
    swing = p["strength"] * (0.35 + 0.65 * inside)
    grey = p["back"] - swing * change - 14 * inside + _halo(touch.contact, p["tip"], p["sides"])
    grey = grey + 5 * mottle(chance, grey, 90) + _streaks(grey, p["streaks"], chance)
    grey = grey + p["noise"] * white(chance, grey) + p["weave"] * _weave(grey, chance)
    return torch.where(_strip(grey, p["margin"], chance), _saturated(grey, p["white"]), p["back"] + 2.0)


def _halo(contact: Tensor, tip: Tensor, sides: Tensor) -> Tensor:
    """White where the finger arrives (its tip), black beside and behind it; nothing inside."""
    near, beside = broad_blur(contact, 14), broad_blur(contact, 44)
    ahead = torch.zeros_like(near)
    ahead[:, :-24] = near[:, 24:] - near[:, :-24]
    outside = 1 - contact
    shadow = (0.6 * near + 0.8 * beside) * (1 - 1.5 * ahead).clamp(0, 1)
    return outside * (tip * ahead.clamp_min(0) * 1.6 - sides * shadow)


def _weave(like: Tensor, chance: Chance) -> Tensor:
    """Noise of the cells, long runs down the columns, and of the read-out, short runs along the rows."""
    down = 1.2 * resize(white(chance, like[:, ::24]), *like.shape[1:])
    along = grain(chance, like[:, :, ::6], 0.6).repeat_interleave(6, 2)[:, :, : like.shape[2]]
    return down + 0.2 * along


def _streaks(like: Tensor, strength: Tensor, chance: Chance) -> Tensor:
    """A few columns that are off, down the whole sweep."""
    width = like.shape[2]
    few = torch.from_numpy(np.stack([rng.random(width) < 0.02 for rng in chance])).to(like.device)
    return strength * (few * line_noise(chance, width, 1))[:, None, :]


def _strip(like: Tensor, margin: Tensor, chance: Chance) -> Tensor:
    """True where the stitched strip lies: its borders waver down the sweep, both by the same path."""
    height, width = like.shape[1:]
    path = torch.cumsum(line_noise(chance, height, 25), 1)[:, :, None] * 0.05
    left = margin * width * (0.4 + 0.6 * chance.uniform(0, 1)) + path - path.mean(1, keepdim=True)
    right = left + width * (1 - margin)
    x = torch.arange(width, dtype=like.dtype, device=like.device)
    return (x >= left) & (x <= right)


def _saturated(grey: Tensor, top: Tensor) -> Tensor:
    """Soft upper end: levels near `top` are pressed together below it."""
    knee = top - 30
    return torch.where(grey > knee, knee + 30 * torch.tanh((grey - knee) / 40), grey)


KIND = Kind(RANGES, expose)
