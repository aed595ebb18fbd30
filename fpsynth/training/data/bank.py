"""The bank: captures of virtual fingers by virtual sensors with their control planes, rendered once.

A chunk is 64 images: 16 fingers x 4 captures on 8 devices of 8 images each, always of different fingers, so that every
image has style references (the same device, another finger) in its own chunk. A chunk depends on (seed, index) only,
but for its noise, which a GPU draws otherwise than a CPU.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from fpsynth.conditioning.planes import PLANES, control_planes
from fpsynth.errors import DamagedFile, UserError
from fpsynth.finger import Master, grow_masters
from fpsynth.impression import CaptureSettings, capture_all
from fpsynth.rng import Stream, generator
from fpsynth.sensor import Device, render_all
from fpsynth.slots import SLOTS
from fpsynth.training.data.description import Description, check_makers, claim, read_description
from fpsynth.training.data.makers import names_of
from fpsynth.training.data.mixture import (
    Labels,
    Mixture,
    draw_device_of,
    draw_labels,
    draw_pattern,
    read_labels,
)
from fpsynth.training.data.store import Chunk, Say, Store

HOLDS = "a bank"
FINGERS = 16
CAPTURES = 4
DEVICES = 8
CHUNK = FINGERS * CAPTURES
"""Images a chunk."""
BATCH = FINGERS
"""Images rendered at once on a GPU. On a core one at a time is fastest: its planes stay in the cache."""
SIZE = 512
"""Pixels: height and width of every image."""
USUAL_PPI = 500
IMAGE, PLANE = "image", "plane."
"""Columns: the image, and the prefix of a plane's name. All uint8 (64, 512, 512)."""


class BankSettings(Mixture):
    """What the bank holds."""

    images: PositiveInt = 2560
    ppi: Annotated[int, Field(ge=250, le=1000)] = 500

    def content(self) -> dict[str, Any]:
        """Nothing is said of the usual resolution: banks of before it could be chosen have that."""
        return super().content() | ({} if self.ppi == USUAL_PPI else {"ppi": self.ppi})

    @property
    def chunks(self) -> int:
        """Chunks that hold at least as many images as asked for."""
        return -(-self.images // CHUNK)


@dataclass(frozen=True)
class _Shot:
    """One image to make: the capture `number` of the finger that the labels name, by a device."""

    labels: Labels
    number: int
    device: Device


def build_bank(folder: Path, settings: BankSettings, say: Say = print, device: str = "cpu") -> "Bank":
    """Render what is missing of the bank. Running it again goes on; more images may be asked for later.

    On the CPU by settings.workers processes, on another torch device by this one in batches.

    Raises UserError when the folder holds a bank of other settings, or one by other fingers, captures or sensors.
    """
    columns = [IMAGE, *(PLANE + name for name in PLANES)]
    claim(folder, Description(HOLDS, settings.content(), columns), names_of(tuple(PLANES), settings.sensors))
    store = Store(folder)
    missing = store.missing(settings.chunks)
    make = partial(render_chunk, settings, device=device)
    workers = settings.workers if device == "cpu" else 1
    store.fill(make, missing, lambda done: say(f"bank: {done} of {len(missing)} chunks of {CHUNK} images"), workers)
    return Bank(folder, settings.chunks, checked=True)


def render_chunk(
    settings: BankSettings, index: int, size: int = SIZE, count: int = CHUNK, device: str = "cpu"
) -> Chunk:
    """The first `count` images of chunk `index`, size x size, made on a torch device, with all of PLANES.

    A function of the arguments and of nothing else.
    """
    shots, batch = _shots(settings, index)[:count], 1 if device == "cpu" else BATCH
    fingers: dict[int, Master] = {}
    columns = {
        name: torch.empty(count, size, size, dtype=torch.uint8) for name in (IMAGE, *(PLANE + n for n in PLANES))
    }
    for part in (slice(start, start + batch) for start in range(0, count, batch)):
        new = sorted({shot.labels.identity for shot in shots[part]} - fingers.keys())
        fingers |= _grown(settings, new, device)
        for name, taken in _taken(settings, shots[part], fingers, size).items():
            columns[name][part] = taken
    return Chunk(columns, [asdict(shot.labels) for shot in shots])


def _shots(settings: BankSettings, index: int) -> list[_Shot]:
    devices = [draw_device_of(settings, index * DEVICES + d) for d in range(DEVICES)]
    drawn = [(index * FINGERS + k % FINGERS, k // FINGERS, devices[k * DEVICES // CHUNK]) for k in range(CHUNK)]
    return [_Shot(draw_labels(settings, *one), *one[1:]) for one in drawn]


def _grown(settings: BankSettings, identities: Sequence[int], device: str) -> dict[int, Master]:
    if not identities:
        return {}
    rngs = [generator(settings.seed, Stream.FINGER, identity) for identity in identities]
    patterns = [draw_pattern(settings, identity) for identity in identities]
    return dict(zip(identities, grow_masters(rngs, patterns, [0] * len(rngs), device), strict=True))


def _taken(
    settings: BankSettings, shots: Sequence[_Shot], fingers: Mapping[int, Master], size: int
) -> dict[str, Tensor]:
    """The columns of a batch, uint8 (B, size, size) each."""
    labels, places = [s.labels for s in shots], [(s.labels.identity, s.number) for s in shots]
    asked = [CaptureSettings.saying(one.words, size, size, settings.ppi) for one in labels]
    capturing, rendering = (
        [generator(settings.seed, stream, *place) for place in places] for stream in (Stream.CAPTURE, Stream.RENDER)
    )
    impressions = capture_all([fingers[one.identity] for one in labels], asked, capturing)
    images = render_all(impressions, [shot.device for shot in shots], rendering)
    planes = torch.stack([(control_planes(one) * 255).round().to(torch.uint8) for one in impressions], 1)
    return {IMAGE: images, **{PLANE + name: plane for name, plane in zip(PLANES, planes, strict=True)}}


def add_images(folder: Path, images: Tensor, planes: Mapping[str, Tensor], labels: Sequence[Labels]) -> None:
    """Put 64 images of your own, ridges dark, into a bank of your own, which begins with the first ones.

    images uint8 (64, 512, 512); planes by name, of the same type and shape. Raises UserError in the folder of a bank
    that is not your own or that has other planes.
    """
    columns = {IMAGE: images, **{PLANE + name: plane for name, plane in planes.items()}}
    for name, column in columns.items():
        if (column.dtype, tuple(column.shape)) != (torch.uint8, (CHUNK, SIZE, SIZE)) or len(labels) != CHUNK:
            raise UserError(f"a bank is made of {CHUNK} labelled images of {SIZE} x {SIZE} uint8; {name} is not")
    claim(folder, Description(HOLDS, {"images": "own"}, list(columns)))
    store = Store(folder)
    store.write(len(store), Chunk(columns, [asdict(one) for one in labels]))


class Bank:
    """A bank on disk, mapped into memory.

    planes: the names of the control planes that it holds; ppi: the resolution of its images (of your own: the usual
    one). checked: it was made by the makers of this program.

    Raises UserError when there is none or other makers made it, DamagedFile for what cannot be read.
    """

    def __init__(self, folder: Path, chunks: int | None = None, checked: bool = False) -> None:
        self.folder, self.store = folder, Store(folder)
        found, self.chunks = read_description(folder, HOLDS), len(self.store) if chunks is None else chunks
        if found is None or not self.chunks or self.store.missing(self.chunks):
            raise UserError(f"{folder}: not a bank of rendered images, or not whole; build it again to complete it")
        if not checked:
            check_makers(folder, found)
        self._settings, self.ppi = found.settings, int(found.settings.get("ppi", USUAL_PPI))
        shapes = dict.fromkeys(found.columns, ("U8", (CHUNK, SIZE, SIZE)))
        self._columns = self.store.columns(shapes, self.chunks)
        self.planes = tuple(name.removeprefix(PLANE) for name in found.columns if name != IMAGE)
        self.labels = [
            label for i, rows in enumerate(self._columns.rows) for label in _labels(self.store.file(i), rows)
        ]
        self.partners = style_partners(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def digest(self) -> str:
        """sha256 of all that it holds."""
        return self.store.identity(self.chunks)

    @cached_property
    def words(self) -> dict[str, set[str]]:
        """Slot -> the words that can come up: those that images bear; and of a bank that was rendered, those that have
        a share, and those that its sensors give to prints."""
        borne = {slot: {word for label in self.labels if (word := label.words.get(slot))} for slot in SLOTS}
        drawn = {slot: {word for word, _ in self._settings.get(slot, ())} for slot in SLOTS}
        given = {s: {w for sensor in drawn["sensor"] for w in one.only.get(sensor, ())} for s, one in SLOTS.items()}
        return {slot: borne[slot] | drawn[slot] | given[slot] for slot in SLOTS}

    def image(self, index: int) -> Tensor:
        """uint8 (512, 512)."""
        return self._columns.read(IMAGE, index)

    def image_crop(self, index: int, top: int, left: int, size: int) -> Tensor:
        """uint8 (size, size); reads only what it returns."""
        return self._columns.read(IMAGE, index, slice(top, top + size), slice(left, left + size))

    def planes_crop(self, index: int, top: int, left: int, size: int, names: Sequence[str] | None = None) -> Tensor:
        """uint8 (P, size, size) of these planes, or of all; reads only what it returns.

        Raises UserError for a plane that the bank does not hold.
        """
        chosen = self.planes if names is None else names
        if lacking := [name for name in chosen if name not in self.planes]:
            raise UserError(f"{self.folder}: has no plane {lacking[0]!r}, only {', '.join(self.planes)}")
        place = slice(top, top + size), slice(left, left + size)
        return torch.stack([self._columns.read(PLANE + name, index, *place) for name in chosen])

    def partner(self, index: int, generator: torch.Generator) -> int:
        """Another image of the same device, of another finger; the image itself where there is none."""
        partners = self.partners[index]
        return partners[int(torch.randint(len(partners), (1,), generator=generator))] if partners else index


def _labels(file: Path, rows: Sequence[Mapping[str, Any]]) -> list[Labels]:
    """The labels of one chunk."""
    try:
        labels = [read_labels(row) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedFile(f"{file}: not the labels of images ({error})") from None
    if len(labels) != CHUNK:
        raise DamagedFile(f"{file}: labels of {len(labels)} images, not of {CHUNK}")
    return labels


def style_partners(labels: Sequence[Labels]) -> list[tuple[int, ...]]:
    """For every image: the images of its device that show another finger."""
    by_device: dict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        by_device[label.device].append(index)
    return [
        tuple(other for other in by_device[label.device] if labels[other].identity != label.identity)
        for label in labels
    ]


def crop_corners(generator: torch.Generator, count: int, size: int, step: int) -> tuple[Tensor, Tensor]:
    """Random (top, left) of `count` crops of a 512 x 512 image, multiples of `step`."""
    places = (SIZE - size) // step + 1
    top = torch.randint(places, (count,), generator=generator) * step
    left = torch.randint(places, (count,), generator=generator) * step
    return top, left


def to_signed(image: Tensor) -> Tensor:
    """uint8 grey to float32 in [-1, 1]."""
    return image.float() / 127.5 - 1
