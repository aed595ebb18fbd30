"""A device: one draw of a sensor kind's continuous parameters, and the seed of its fixed pattern."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Ranges = Mapping[str, tuple[float, float]]
"""Parameter name -> (lowest, highest) over the devices of a kind."""


@dataclass(frozen=True)
class Device:
    """One device: its kind (fpsynth.vocabulary.SENSORS), its parameters, the seed of its fixed pattern.

    surface: what the print lies on (fpsynth.vocabulary.SURFACES), for kinds that take prints from things.
    """

    sensor: str
    parameters: Mapping[str, float]
    seed: int
    surface: str | None = None

    def fixed(self) -> np.random.Generator:
        """A generator for what is the same in every image of this device: fixed pattern, dust, paper, lamp."""
        return np.random.Generator(np.random.PCG64(self.seed))


def draw_parameters(ranges: Ranges, rng: np.random.Generator) -> dict[str, float]:
    """Every parameter uniform in its range."""
    return {name: float(rng.uniform(low, high)) for name, (low, high) in ranges.items()}
