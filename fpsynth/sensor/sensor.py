"""Drawing a device of a kind, and rendering an impression with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.errors import UserError
from fpsynth.impression import Impression
from fpsynth.sensor import capacitive, contactless, ink, latent, optical, thermal
from fpsynth.sensor.chance import Chance
from fpsynth.sensor.device import Device, Devices, Ranges, draw_parameters
from fpsynth.sensor.touch import Touch, touch
from fpsynth.slots import words_of


@dataclass(frozen=True)
class Kind:
    """A sensor kind: the ranges of its devices, and how they turn touches into grey levels."""

    ranges: Ranges
    expose: Callable[[Touch, Devices, Chance], Tensor]


KINDS = {
    "optical": Kind(optical.RANGES, optical.expose),
    "capacitive": Kind(capacitive.RANGES, capacitive.expose),
    "thermal": Kind(thermal.RANGES, thermal.expose),
    "ink": Kind(ink.RANGES, ink.expose),
    "latent": Kind(latent.RANGES, latent.expose),
    "contactless": Kind(contactless.RANGES, contactless.expose),
}


def draw_device(sensor: str, rng: np.random.Generator, surface: str | None = None) -> Device:
    """Draw a device of a kind; latent prints lie on `surface`, or on one drawn, ink prints always on card.

    Raises UserError for an unknown kind or surface.
    """
    kind = _kind(sensor)
    surfaces = words_of("surface")
    if surface is not None and surface not in surfaces:
        raise UserError(f"unknown surface {surface!r}; known: {', '.join(surfaces)}")
    parameters, seed = draw_parameters(kind.ranges, rng), int(rng.integers(2**63))
    drawn = str(rng.choice(surfaces))
    if sensor == "latent":
        return Device(sensor, parameters, seed, surface or drawn)
    return Device(sensor, parameters, seed, "card" if sensor == "ink" else None)


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
        images[which] = _kind(sensor).expose(pressed, own, chance).round().clamp(0, 255).to(torch.uint8)
    return images


def _kind(sensor: str) -> Kind:
    if sensor not in KINDS:
        raise UserError(f"unknown sensor {sensor!r}; known: {', '.join(KINDS)}")
    return KINDS[sensor]
