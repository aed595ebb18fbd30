"""Prints of about 500 ppi at twice their resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fpsynth import __version__
from fpsynth.device import choose_device
from fpsynth.diffusion.upscale import SCALE, enlarged, upscaler_digest
from fpsynth.edit.ledger import Ledger, point
from fpsynth.edit.studio import Order, number_of
from fpsynth.errors import UserError
from fpsynth.extractor.network import extractor_digest
from fpsynth.extractor.picture import MASTER_PPI, Picture, read_picture
from fpsynth.rng import Stream, generator

PPI = (400.0, 600.0)
"""Of pictures that can be upscaled: the network learnt from those of 500."""


@dataclass(frozen=True)
class Enlargement:
    """One picture, and its number, by its name alone."""

    number: int
    picture: Picture


class Enlarger:
    """Upscales the pictures of one order."""

    batch = 1

    def __init__(self, order: Order, seed: int) -> None:
        self.order, self._seed, self._device = order, seed, choose_device(order.device)
        how = f"{__version__} {order.ppi} {seed} {upscaler_digest()} {extractor_digest()}"
        self.ledger = Ledger(order.out, order.verb, how, self._device)

    def task(self, path: Path) -> Enlargement:
        """Raises UserError for a picture that cannot be upscaled."""
        picture = read_picture(path, self.order.ppi)
        if not PPI[0] <= picture.ppi <= PPI[1]:
            low, high = PPI
            raise UserError(f"{path}: has {picture.ppi:.0f} ppi; {low:g} to {high:g} can be doubled")
        return Enlargement(number_of(path), picture)

    def draw(self, tasks: Sequence[Enlargement]) -> None:
        """Draw and write them, one by one."""
        for task in tasks:
            picture, scale = task.picture, SCALE * task.picture.ppi / MASTER_PPI
            drawn = enlarged(picture.original, generator(self._seed, Stream.RENDER, task.number), self._device)
            told = {
                "ppi": SCALE * picture.ppi,
                "model": upscaler_digest(),
                "minutiae": [point(m, scale) for m in picture.minutiae],
            }
            self.ledger.write(picture.path, SCALE * picture.ppi, drawn, told)
