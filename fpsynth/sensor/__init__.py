"""Virtual sensors: an impression -> a grey image. The default training data; `model: virtual` writes their render.

To add a kind: a module here that is named by its word and holds KIND, and the word in fpsynth.slots.
"""

from fpsynth.sensor.device import Device
from fpsynth.sensor.sensor import draw_device, render, render_all

__all__ = ["Device", "draw_device", "render", "render_all"]
