"""The user's prints as lessons: what is seen of each stands for what is known of a render.

Ridges, contact, and what touches are read off the picture by the program's own extractor; quality is the reader's
word. Nothing of it is truth. Pictures of other sizes are continued beyond their edges as in a mirror, together with all
that is seen of them, and large ones are cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fpsynth.conditioning.planes import PLANES, control_planes
from fpsynth.dataset.reader.source import open_source
from fpsynth.errors import UserError
from fpsynth.extractor.picture import MASTER_PPI, Picture, decoded_picture, impression_of
from fpsynth.extractor.ridges import block_periods
from fpsynth.reader.reader import load_reader
from fpsynth.slots import SLOTS
from fpsynth.training.data import CHUNK, SIZE, Bank, Labels, add_images
from fpsynth.training.data.store import Say

WORD = "own"
"""How prompts call the sensor."""
OPEN = dict.fromkeys(SLOTS) | {"sensor": WORD}
"""What is said of every print."""
PERIODS = (5.0, 14.0)
"""Ridge periods of people's fingers, pixels at 500 ppi; others tell of a wrong resolution."""


@dataclass(frozen=True)
class Held:
    """A print that can be used, and whose finger it is."""

    picture: Picture
    identity: str


def read_prints(data: Path, ppi: float, say: Say) -> list[Held]:
    """All usable prints of a folder, a Parquet file or a dataset; ppi: of those that do not say theirs.

    What cannot be used is said, one line each. Raises UserError where there are no images.
    """
    if not data.exists():
        raise UserError(f"{data}: not found")
    held = []
    for unit in open_source(data, None).units:
        for item in unit.read():
            try:
                picture = decoded_picture(item.encoded, data / item.name, item.ppi or ppi)
                _check_period(picture)
            except UserError as error:
                say(f"left out: {error}")
            else:
                held.append(Held(picture, item.identity))
    return held


def _check_period(picture: Picture) -> None:
    """Raises UserError for ridges that nobody's finger has at this resolution."""
    periods = block_periods(picture.image, picture.seen.mask)
    if len(periods) == 0:
        raise UserError(f"{picture.path}: too small a print")
    period = float(np.median(periods))
    if not PERIODS[0] <= period <= PERIODS[1]:
        inch = f"{period * picture.ppi / MASTER_PPI:.1f} pixels apart, which at {picture.ppi:g} ppi no finger's are"
        raise UserError(f"{picture.path}: ridges {inch}; is the resolution (ppi) right?")


def bank_of(held: Sequence[Held], folder: Path, seed: int) -> Bank:
    """A bank of these prints in an empty folder, each as often as the others but for one time."""
    qualities = load_reader().read([one.picture.image for one in held]).said("quality")
    numbers = {name: number for number, name in enumerate(dict.fromkeys(one.identity for one in held))}
    pieces = [
        piece
        for one, quality in zip(held, qualities, strict=True)
        for piece in _pieces(one.picture, Labels(numbers[one.identity], 0, {**OPEN, "quality": quality}))
    ]
    order = np.random.default_rng(seed).permutation(len(pieces))
    filled = [pieces[order[k % len(order)]] for k in range(-(-len(pieces) // CHUNK) * CHUNK)]
    for start in range(0, len(filled), CHUNK):
        images, planes, labels = zip(*filled[start : start + CHUNK], strict=True)
        columns = torch.stack(planes, 1)
        add_images(folder, torch.stack(images), dict(zip(PLANES, columns, strict=True)), labels)
    return Bank(folder)


def _pieces(picture: Picture, labels: Labels) -> Iterator[tuple[Tensor, Tensor, Labels]]:
    """(image, planes, labels) uint8 of 512 x 512 pixels that together show all of a picture."""
    planes = (control_planes(impression_of(picture)) * 255).round().to(torch.uint8).numpy()
    both = np.concatenate([picture.image[None], planes])
    both = np.pad(both, [(0, 0), *((0, max(0, SIZE - side)) for side in picture.image.shape)], mode="reflect")
    for top in _starts(both.shape[1]):
        for left in _starts(both.shape[2]):
            piece = torch.from_numpy(both[:, top : top + SIZE, left : left + SIZE].copy())
            yield piece[0], piece[1:], labels


def _starts(side: int) -> list[int]:
    """Where windows of SIZE pixels begin that cover a side."""
    count = -(-side // SIZE)
    return [round(k * (side - SIZE) / max(count - 1, 1)) for k in range(count)]
