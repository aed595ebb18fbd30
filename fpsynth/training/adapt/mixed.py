"""Two banks as one: every other image is of the first, so that what the second shows is not forgotten.

The prior preservation of DreamBooth (Ruiz et al., 2023), by the renders that the model has learnt from in place of its
own pictures.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from fpsynth.training.data import Labels, LatentBank
from fpsynth.training.data.latents import Images


class MixedBank:
    """What batches ask of a bank (see Bank). Images of the smaller part come up more often."""

    def __init__(self, *parts: Images) -> None:
        self.parts = parts
        self.planes = parts[0].planes

    def __len__(self) -> int:
        return len(self.parts) * max(len(part) for part in self.parts)

    def at(self, index: int) -> tuple[int, int]:
        """Which part, and which of its images."""
        place, which = divmod(index, len(self.parts))
        return which, place % len(self.parts[which])

    @cached_property
    def labels(self) -> list[Labels]:
        """Of each image."""
        return [self.parts[which].labels[place] for which, place in map(self.at, range(len(self)))]

    def image(self, index: int) -> Tensor:
        """uint8 (512, 512)."""
        which, place = self.at(index)
        return self.parts[which].image(place)

    def planes_crop(self, index: int, top: int, left: int, size: int, names: Sequence[str] | None = None) -> Tensor:
        """uint8 (P, size, size)."""
        which, place = self.at(index)
        return self.parts[which].planes_crop(place, top, left, size, names)

    def partner(self, index: int, generator: torch.Generator) -> int:
        """Another image of the same device, of another finger where there is one."""
        which, place = self.at(index)
        return self.parts[which].partner(place, generator) * len(self.parts) + which


class MixedLatents:
    """The latents of a mixed bank."""

    def __init__(self, *sources: LatentBank) -> None:
        self._sources = sources
        self.bank = MixedBank(*(source.bank for source in sources))

    def crop(self, index: int, mirrored: bool, top: int, left: int, size: int) -> Tensor:
        """See LatentBank."""
        which, place = self.bank.at(index)
        return self._sources[which].crop(place, mirrored, top, left, size)
