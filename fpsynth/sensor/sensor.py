"""A device is one draw of a sensor kind's continuous parameters; rendering is a function of impression and device."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from fpsynth.impression import Impression


@dataclass(frozen=True)
class Device:
    """One device: its kind (fpsynth.vocabulary.SENSORS), its parameters, and the seed of its fixed pattern."""

    sensor: str
    parameters: Mapping[str, float]
    seed: int
    surface: str | None = None


def draw_device(sensor: str, rng: np.random.Generator) -> Device:
    """Draw a device of this kind."""
    raise NotImplementedError


def render(impression: Impression, device: Device, rng: np.random.Generator) -> Tensor:
    """The grey image (height, width) uint8, ridges dark on light, that this device gives of the impression."""
    raise NotImplementedError
