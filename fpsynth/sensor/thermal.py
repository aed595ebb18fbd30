"""Thermal sweep sensor: a line of pyroelectric cells under a moving finger, its strips stitched to an image.

A cell answers to a change of temperature, which dies away: an image is the contact less its surroundings, so ridges are
black, valleys white, the finger's tip wears a white halo and its sides a black one. Also: the stitched strip's wavering
left and right borders, rows that jitter, streaks from single cells, both ends of the scale saturated.
"""

import numpy as np
import torch
from torch import Tensor

from fpsynth.sensor.device import Device, Ranges
from fpsynth.sensor.fields import blur, broad_blur, grain, line_noise, mottle, white
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
    "noise": (1, 3.5),
    "weave": (2, 6),
    "streaks": (0, 14),
    "jitter": (-0.4, 0.9),
    "margin": (0.0, 0.14),
}


def expose(touch: Touch, device: Device, rng: np.random.Generator) -> Tensor:
    """Grey levels (height, width), not yet clipped."""
    p = device.parameters
    area = blur(_jittered(touch.area, p["jitter"], rng), p["blur"])
    change = area - blur(area, p["reach"])
    inside = broad_blur(touch.contact, 6)
    swing = p["strength"] * (0.35 + 0.65 * inside)
    grey = p["back"] - swing * change - 14 * inside + _halo(touch.contact, p["tip"], p["sides"])
    grey = grey + 5 * mottle(rng, grey, 90) + _streaks(grey, p["streaks"], rng)
    grey = grey + p["noise"] * white(rng, grey) + p["weave"] * _weave(grey, rng)
    return torch.where(_strip(grey, p["margin"], rng), _saturated(grey, p["white"]), p["back"] + 2.0)


def _jittered(area: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Rows displaced by at most one pixel, in runs, as strips are matched to a pixel."""
    if strength <= 0:
        return area
    height = area.shape[0]
    runs = np.cumsum(rng.random(height) < 0.12)
    shifts = (rng.random(height) < strength)[runs % height].astype(np.int64)
    across = torch.arange(area.shape[1])[None, :] + torch.from_numpy(shifts)[:, None]
    return torch.gather(area, 1, across.clamp_max(area.shape[1] - 1).to(area.device))


def _halo(contact: Tensor, tip: float, sides: float) -> Tensor:
    """White where the finger arrives (its tip), black beside and behind it; nothing inside."""
    near, beside = broad_blur(contact, 14), broad_blur(contact, 44)
    ahead = torch.zeros_like(near)
    ahead[:-24] = near[24:] - near[:-24]
    outside = 1 - contact
    shadow = (0.6 * near + 0.8 * beside) * (1 - 1.5 * ahead).clamp(0, 1)
    return outside * (tip * ahead.clamp_min(0) * 1.6 - sides * shadow)


def _weave(like: Tensor, rng: np.random.Generator) -> Tensor:
    """Noise of the cells down the columns and of the read-out along the rows, both in short runs."""
    down = grain(rng, like[::6], 0.6).repeat_interleave(6, 0)[: like.shape[0]]
    along = grain(rng, like[:, ::6], 0.6).repeat_interleave(6, 1)[:, : like.shape[1]]
    return 0.8 * down + 0.6 * along


def _streaks(like: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """A few columns that are off, down the whole sweep."""
    width = like.shape[1]
    few = torch.from_numpy(rng.random(width) < 0.02).to(like.device)
    return (strength * few * line_noise(rng, width, like, 1))[None, :]


def _strip(like: Tensor, margin: float, rng: np.random.Generator) -> Tensor:
    """True where the stitched strip lies: its borders waver down the sweep, both by the same path."""
    height, width = like.shape
    path = torch.cumsum(line_noise(rng, height, like, 25), 0) * 0.05
    left = margin * width * (0.4 + 0.6 * rng.random()) + path - path.mean()
    right = left + width * (1 - margin)
    x = torch.arange(width, device=like.device)[None, :]
    return (x >= left[:, None]) & (x <= right[:, None])


def _saturated(grey: Tensor, top: float) -> Tensor:
    """Soft upper end: levels near `top` are pressed together below it."""
    knee = top - 30
    return torch.where(grey > knee, knee + 30 * torch.tanh((grey - knee) / 40), grey)
