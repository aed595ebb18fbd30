"""Capacitive sensor: an array of cells on silicon, read column by column.

What makes its look: a mid-grey field with a fixed pattern of columns and bright sides, ridges that saturate dark,
grain in every cell, and droplets of sweat around the contact (fpsynth/impression/droplets.py).
"""

from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.fields import axes, blur, broad_blur, grain, line_noise, mottle, white
from fpsynth.sensor.device import Devices, Ranges
from fpsynth.sensor.kind import Kind
from fpsynth.sensor.touch import Touch

RANGES: Ranges = {
    "gain": (4.5, 8),
    "bias": (-0.02, 0.22),
    "detail": (0.8, 1.4),
    "rough": (0.26, 0.52),
    "back": (112, 134),
    "dark": (24, 36),
    "blur": (0.4, 0.65),
    "noise": (4.2, 6.5),
    "columns": (1.5, 4),
    "sides": (8, 30),
    "shade": (3, 9),
    "valley": (0.1, 0.28),
    "grain": (0.18, 0.45),
}


def expose(touch: Touch, devices: Devices, chance: Chance) -> Tensor:
    """Grey levels (B, height, width), not yet clipped."""
    p = devices.parameters
    near = broad_blur(touch.contact, 14)
    skin = blur(touch.area, devices.values("blur")) * (1 - p["grain"] * grain(chance, near, 0.8).clamp(0, 2))
    back = field_pattern(touch.area, devices)
    haze = p["valley"] * near * (0.7 + touch.load).clamp(0.2, 1.6)
    grey = back - (back - p["dark"]) * (skin + (1 - skin) * haze.clamp(0, 0.7))
    return grey + p["noise"] * (1 - 0.4 * skin) * white(chance, grey)


def field_pattern(like: Tensor, devices: Devices) -> Tensor:
    """The device's untouched field: columns, brighter sides, slow shade. The same in all its images."""
    p, fixed = devices.parameters, devices.fixed()
    y, x = axes(like)
    width = like.shape[2]
    columns = 0.5 * line_noise(fixed, width, 1) + 0.9 * line_noise(fixed, width, 9)
    middle = fixed.uniform(-0.2, 0.2)
    sides = p["sides"] * ((x - middle) ** 2 + 0.25 * y**2 - 0.4)
    return p["back"] + sides + p["columns"] * columns[:, None, :] + p["shade"] * mottle(fixed, like, 110)


KIND = Kind(RANGES, expose)
