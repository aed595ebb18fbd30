"""The user's prints as lessons: what is seen of each stands for what is known of a render.

Ridges, contact, and what touches are read off the picture by the program's own extractor; quality is the reader's
word. Nothing of it is truth. Pictures of other sizes are continued beyond their edges as in a mirror, together with all
that is seen of them, and large ones are cut.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from fpsynth.conditioning.planes import PLANES, control_planes
from fpsynth.dataset.item import Item
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
COLOURED = 12.0
"""Grey levels by which the channels of a picture in colour differ, in the mean."""
Piece = tuple[Tensor, Tensor, Labels]
"""Image, planes and labels of 512 x 512 pixels."""
PERIODS = (5.0, 14.0)
"""Ridge periods of people's fingers, pixels at 500 ppi; others tell of a wrong resolution."""


@dataclass(frozen=True)
class Held:
    """A print that can be used, and whose finger it is."""

    picture: Picture
    identity: str


@dataclass(frozen=True)
class Own:
    """The bank of the prints, and how many of how many fingers it was made of."""

    bank: Bank
    prints: int
    fingers: int


def read_prints(data: Path, ppi: float, say: Say) -> Iterator[Held]:
    """The usable prints of a folder, a Parquet file or a dataset, one by one; ppi: of those that do not say theirs.

    What cannot be used is said, one line each. Raises UserError where there are no images.
    """
    for item in _items(data):
        try:
            _check_grey(item.encoded, data / item.name)
            picture = decoded_picture(item.encoded, data / item.name, item.ppi or ppi)
            _check_period(picture)
        except UserError as error:
            say(f"left out: {error}")
        else:
            yield Held(picture, item.identity)


def digest_of(data: Path) -> str:
    """SHA-256 of all its images, in order. Raises UserError where there are none."""
    digest = sha256()
    for item in _items(data):
        digest.update(sha256(item.encoded).digest() + item.identity.encode())
    return digest.hexdigest()


def _items(data: Path) -> Iterator[Item]:
    if not data.exists():
        raise UserError(f"{data}: not found")
    for unit in open_source(data, None).units:
        yield from unit.read()


def _check_grey(encoded: bytes, path: Path) -> None:
    """Raises UserError for a picture in colour; what cannot be read is for others to tell."""
    try:
        with Image.open(BytesIO(encoded)) as opened:
            if opened.mode in ("L", "1") or opened.mode.startswith(("I", "F")):
                return
            channels = np.asarray(opened.convert("RGB").reduce(4), np.int16)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return
    if (channels.max(2) - channels.min(2)).mean() > COLOURED:
        raise UserError(f"{path}: is in colour; prints are learnt as grey pictures, so make it one first")


def _check_period(picture: Picture) -> None:
    """Raises UserError for ridges that nobody's finger has at this resolution."""
    periods = block_periods(picture.image, picture.seen.mask)
    if len(periods) == 0:
        raise UserError(f"{picture.path}: too small a print")
    period = float(np.median(periods))
    if not PERIODS[0] <= period <= PERIODS[1]:
        inch = f"{period * picture.ppi / MASTER_PPI:.1f} pixels apart, which at {picture.ppi:g} ppi no finger's are"
        raise UserError(f"{picture.path}: ridges {inch}; is the resolution (ppi) right?")


def bank_of(held: Iterable[Held], folder: Path) -> Own:
    """A bank of these prints in an empty folder; some of the first ones are in it twice, to make whole chunks.

    Raises UserError where there are none.
    """
    numbers: dict[str, int] = {}
    first, waiting, prints = list[Piece](), list[Piece](), 0
    for piece, fresh in _all_pieces(held, numbers):
        prints += fresh
        first += [piece] if len(first) < CHUNK else []
        waiting.append(piece)
        if len(waiting) == CHUNK:
            _add(folder, waiting)
            waiting.clear()
    if not first:
        raise UserError("data: no print can be used")
    if waiting:
        _add(folder, [*waiting, *islice(cycle(first), CHUNK - len(waiting))])
    return Own(Bank(folder), prints, len(numbers))


def _all_pieces(held: Iterable[Held], numbers: dict[str, int]) -> Iterator[tuple[Piece, bool]]:
    """All pieces of all prints, each with whether it is its print's first; fingers are numbered as they come."""
    reader = load_reader()
    for one in held:
        quality = reader.read([one.picture.image]).said("quality")[0]
        number = numbers.setdefault(one.identity, len(numbers))
        labels = Labels(number, 0, {**OPEN, "quality": quality})
        for place, piece in enumerate(_pieces(one.picture, labels)):
            yield piece, place == 0


def _add(folder: Path, pieces: Sequence[Piece]) -> None:
    images, planes, labels = zip(*pieces, strict=True)
    add_images(folder, torch.stack(images), dict(zip(PLANES, torch.stack(planes, 1), strict=True)), labels)


def _pieces(picture: Picture, labels: Labels) -> Iterator[Piece]:
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
