"""Drawing a device of a kind, and rendering an impression with it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fpsynth.errors import UserError
from fpsynth.impression import Impression
from fpsynth.sensor.chance import Chance
from fpsynth.sensor.device import Device, Devices, draw_parameters
from fpsynth.sensor.kind import kind_of
from fpsynth.sensor.touch import touch
from fpsynth.slots import SLOTS, words_of


def draw_device(sensor: str, rng: np.random.Generator, surface: str | None = None) -> Device:
    """Draw a device of a kind (a word of the slot); what it takes prints from is `surface` where it can be, or drawn.

    Raises UserError for an unknown kind or surface.
    """
    kind, known = kind_of(sensor), words_of("surface")
    if surface is not None and surface not in known:
        raise UserError(f"unknown surface {surface!r}; known: {', '.join(known)}")
    parameters, seed, drawn = draw_parameters(kind.ranges, rng), int(rng.integers(2**63)), int(rng.integers(len(known)))
    possible = SLOTS["surface"].only.get(sensor)
    if not possible:
        return Device(sensor, parameters, seed)
    return Device(sensor, parameters, seed, surface if surface in possible else possible[drawn % len(possible)])


def render(impression: Impression, device: Device, rng: np.random.Generator) -> Tensor:
    """The image (height, width) uint8 that this device gives of the impression, ridges dark on light.

    On the impression's torch device; the same generator state gives the same image there.
    """
    return render_all([impression], [device], [rng])[0]


def render_all(
    impressions: Sequence[Impression], devices: Sequence[Device], rngs: Sequence[np.random.Generator]
) -> Tensor:
    """A batch of images (B, height, width) uint8, of impressions of one size: each is what render makes of it.

    Images of one kind of sensor are rendered together.
    """
    first = impressions[0].ridges
    images = torch.empty(len(impressions), *first.shape, dtype=torch.uint8, device=first.device)
    for sensor in dict.fromkeys(device.sensor for device in devices):
        which = [i for i, device in enumerate(devices) if device.sensor == sensor]
        own = Devices(tuple(devices[i] for i in which), first.device)
        chance = Chance.of([rngs[i] for i in which], first.device)
        pressed = touch([impressions[i] for i in which], own.parameters, chance)
        images[which] = kind_of(sensor).expose(pressed, own, chance).round().clamp(0, 255).to(torch.uint8)
    return images
