"""Drawing a device of a kind, and rendering an impression with it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.errors import UserError
from fpsynth.impression import Impression
from fpsynth.sensor import capacitive, contactless, ink, latent, optical, thermal
from fpsynth.sensor.device import Device, Ranges, draw_parameters
from fpsynth.sensor.touch import Touch, touch
from fpsynth.vocabulary import SURFACES


@dataclass(frozen=True)
class Kind:
    """A sensor kind: the ranges of its devices, and how one turns a touch into grey levels."""

    ranges: Ranges
    expose: Callable[[Touch, Device, np.random.Generator], Tensor]


KINDS = {
    "optical": Kind(optical.RANGES, optical.expose),
    "capacitive": Kind(capacitive.RANGES, capacitive.expose),
    "thermal": Kind(thermal.RANGES, thermal.expose),
    "ink": Kind(ink.RANGES, ink.expose),
    "latent": Kind(latent.RANGES, latent.expose),
    "contactless": Kind(contactless.RANGES, contactless.expose),
}


def draw_device(sensor: str, rng: np.random.Generator, surface: str | None = None) -> Device:
    """Draw a device of a kind (fpsynth.vocabulary.SENSORS); latent prints lie on `surface`, or on one drawn.

    Raises UserError for an unknown kind or surface.
    """
    kind = _kind(sensor)
    if surface is not None and surface not in SURFACES:
        raise UserError(f"unknown surface {surface!r}; known: {', '.join(SURFACES)}")
    parameters, seed = draw_parameters(kind.ranges, rng), int(rng.integers(2**63))
    drawn = str(rng.choice(SURFACES))
    if sensor == "latent":
        return Device(sensor, parameters, seed, surface or drawn)
    return Device(sensor, parameters, seed, "card" if sensor == "ink" else None)


def render(impression: Impression, device: Device, rng: np.random.Generator) -> Tensor:
    """The image (height, width) uint8 that this device gives of the impression, ridges dark on light.

    On the impression's torch device; the same generator state gives the same image there.
    """
    pressed = touch(impression, device.parameters, rng)
    grey = _kind(device.sensor).expose(pressed, device, rng)
    return grey.round().clamp(0, 255).to(torch.uint8)


def _kind(sensor: str) -> Kind:
    if sensor not in KINDS:
        raise UserError(f"unknown sensor {sensor!r}; known: {', '.join(KINDS)}")
    return KINDS[sensor]
