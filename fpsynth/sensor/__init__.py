"""Virtual sensors: an impression -> a grey image. The default training data; `model: virtual` writes their render."""

from fpsynth.sensor.device import Device
from fpsynth.sensor.sensor import draw_device, render, render_all

__all__ = ["Device", "draw_device", "render", "render_all"]
