"""Chance for a batch of images: every image draws from its own generator, whatever is rendered beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.finger.fields import column


@dataclass(frozen=True)
class Chance:
    """One source of chance an image.

    own     for single numbers
    noise   for planes, on the images' device; seeded by the first draw of `own`
    """

    own: tuple[np.random.Generator, ...]
    noise: tuple[torch.Generator, ...]

    @classmethod
    def of(cls, rngs: Sequence[np.random.Generator], device: torch.device) -> "Chance":
        """The chance that these generators give to a batch on this device."""
        noise = (torch.Generator(device).manual_seed(int(rng.integers(2**63))) for rng in rngs)
        return cls(tuple(rngs), tuple(noise))

    def __iter__(self) -> Iterator[np.random.Generator]:
        return iter(self.own)

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape) float32: white normal noise of unit variance."""
        planes = torch.empty(len(self.noise), *shape, device=self.noise[0].device)
        for plane, noise in zip(planes, self.noise, strict=True):
            plane.normal_(generator=noise)
        return planes

    def uniform(self, low: float, high: float) -> Tensor:
        """(B, 1, 1): a number an image, uniform in [low, high)."""
        return column([float(rng.uniform(low, high)) for rng in self.own], self.noise[0].device)
