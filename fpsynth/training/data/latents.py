"""The bank's latents: of a codec that is quick, encoded as they are asked for; of any other, encoded once.

Those are of every image, plain and mirrored (mirrored latents are not those of the mirror).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fpsynth.diffusion.codec import Codec
from fpsynth.training.data.bank import CHUNK, SIZE, Bank, to_signed
from fpsynth.training.data.description import Description, claim
from fpsynth.training.data.mixture import Labels
from fpsynth.training.data.store import Chunk, Columns, Say, Store

HOLDS, LATENT = "latents", "latent"
ENCODE_BATCH = 8


class Images(Protocol):
    """What batches ask of a bank."""

    @property
    def planes(self) -> tuple[str, ...]:
        """The names of its control planes."""

    @property
    def labels(self) -> Sequence[Labels]:
        """Of every image."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> Tensor:
        """uint8 (512, 512)."""

    def planes_crop(self, index: int, top: int, left: int, size: int, names: Sequence[str] | None = None) -> Tensor:
        """uint8 (P, size, size)."""

    def partner(self, index: int, generator: torch.Generator) -> int:
        """Another image of the same device, of another finger."""


class LatentBank(Protocol):
    """Latents of a bank's images."""

    @property
    def bank(self) -> Images:
        """The images."""

    def crop(self, index: int, mirrored: bool, top: int, left: int, size: int) -> Tensor:
        """The latents (C, size/f, size/f) float32 of a crop of the (mirrored) image; top, left and size in pixels."""


@dataclass(frozen=True)
class QuickLatents:
    """Encoded as they are asked for."""

    bank: Bank
    codec: Codec

    def crop(self, index: int, mirrored: bool, top: int, left: int, size: int) -> Tensor:
        """See LatentBank."""
        image = self.bank.image_crop(index, top, SIZE - left - size if mirrored else left, size)
        return self.codec.encode(to_signed(image.flip(-1) if mirrored else image)[None, None])[0]


@dataclass(frozen=True)
class StoredLatents:
    """A column of (2, C, h, w) float16, [plain, mirrored]; `factor` pixels a cell."""

    bank: Bank
    columns: Columns
    channels: int
    factor: int

    def crop(self, index: int, mirrored: bool, top: int, left: int, size: int) -> Tensor:
        """See LatentBank."""
        y, x, s = top // self.factor, left // self.factor, size // self.factor
        return self.columns.read(LATENT, index, int(mirrored), slice(None), slice(y, y + s), slice(x, x + s)).float()


def encode_bank(bank: Bank, codec: Codec, device: str, say: Say = print) -> LatentBank:
    """Encode what this codec has not encoded yet, on a torch device; in a folder of the bank that its digest names.

    A quick codec has nothing to encode beforehand.
    """
    if codec.quick:
        return QuickLatents(bank, codec)
    store = Store(bank.folder / f"{HOLDS}-{codec.digest[:12]}")
    claim(store.folder, Description(HOLDS, {"codec": codec.digest}, [LATENT]))
    missing = [i for i in range(bank.chunks) if not _encoded(bank, store, i)]
    store.fill(
        lambda index: _encode_chunk(bank, index, codec, device),
        missing,
        lambda done: say(f"latents: {done} of {len(missing)} chunks"),
    )
    side = SIZE // codec.factor
    shape = ("F16", (CHUNK, 2, codec.channels, side, side))
    return StoredLatents(bank, store.columns({LATENT: shape}, bank.chunks), codec.channels, codec.factor)


def _encoded(bank: Bank, store: Store, index: int) -> bool:
    """Whether there are latents of just these images."""
    return store.file(index).exists() and store.origin(index) == bank.store.digest(index)


@torch.no_grad()
def _encode_chunk(bank: Bank, index: int, codec: Codec, device: str) -> Chunk:
    parts = []
    for start in range(index * CHUNK, (index + 1) * CHUNK, ENCODE_BATCH):
        images = to_signed(torch.stack([bank.image(i) for i in range(start, start + ENCODE_BATCH)])[:, None])
        both = [codec.encode(side.to(device)).cpu() for side in (images, images.flip(-1))]
        parts.append(torch.stack(both, 1).half())
    return Chunk({LATENT: torch.cat(parts)}, origin=bank.store.digest(index))
