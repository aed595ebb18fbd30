"""A device: one draw of a sensor kind's continuous parameters, and the seed of its fixed pattern."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.finger.fields import column
from fpsynth.impression.chance import Chance

Ranges = Mapping[str, tuple[float, float]]
"""Parameter name -> (lowest, highest) over the devices of a kind."""


@dataclass(frozen=True)
class Device:
    """One device: its kind (a word of the slot `sensor`), its parameters, the seed of its fixed pattern.

    surface, technique: what the print lies on and what made it visible (words of the slots), for kinds that have them.
    """

    sensor: str
    parameters: Mapping[str, float]
    seed: int
    surface: str | None = None
    technique: str | None = None


@dataclass(frozen=True)
class Devices:
    """The devices of a batch of images, one an image, all of one kind; `on` is where the images are made."""

    each: tuple[Device, ...]
    on: torch.device

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Name -> (B, 1, 1)."""
        return {name: column(self.values(name), self.on) for name in self.each[0].parameters}

    def values(self, name: str) -> list[float]:
        """A parameter of each device."""
        return [device.parameters[name] for device in self.each]

    def fixed(self) -> Chance:
        """For what is the same in every image of a device: fixed pattern, dust, paper, lamp."""
        return Chance.of([np.random.Generator(np.random.PCG64(device.seed)) for device in self.each], self.on)


def draw_parameters(ranges: Ranges, rng: np.random.Generator) -> dict[str, float]:
    """Every parameter uniform in its range."""
    return {name: float(rng.uniform(low, high)) for name, (low, high) in ranges.items()}
