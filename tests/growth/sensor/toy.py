"""A toy sensor: black where skin touches, white elsewhere, with a little noise."""

from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.fields import white
from fpsynth.sensor.device import Devices, Ranges
from fpsynth.sensor.kind import Kind
from fpsynth.sensor.touch import Touch

RANGES: Ranges = {"gain": (6, 6), "bias": (0, 0), "detail": (1, 1), "rough": (0.1, 0.1), "noise": (1, 2)}


def expose(touch: Touch, devices: Devices, chance: Chance) -> Tensor:
    """Grey levels (B, height, width)."""
    return 250 - 240 * touch.area + devices.parameters["noise"] * white(chance, touch.area)


KIND = Kind(RANGES, expose)
