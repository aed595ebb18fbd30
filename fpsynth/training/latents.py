"""The bank's latents, encoded once: every image plain and mirrored (mirrored latents are not those of the mirror)."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fpsynth.diffusion.codec import Codec
from fpsynth.training.bank import CHUNK
from fpsynth.training.stream import Bank, to_signed

ENCODE_BATCH = 8


@dataclass(frozen=True)
class LatentBank:
    """Latents of a bank's images: chunks of (64, 2, C, h, w) float16, [plain, mirrored]; `factor` pixels a cell."""

    bank: Bank
    chunks: tuple[np.ndarray, ...]
    factor: int

    @property
    def channels(self) -> int:
        return int(self.chunks[0].shape[2])

    def crop(self, index: int, mirrored: bool, top: int, left: int, size: int) -> Tensor:
        """The latents (C, size/f, size/f) of a crop of the (mirrored) image; top, left and size in pixels."""
        y, x, s = top // self.factor, left // self.factor, size // self.factor
        chunk = self.chunks[index // CHUNK]
        return torch.from_numpy(chunk[index % CHUNK, int(mirrored), :, y : y + s, x : x + s].copy()).float()


def encode_bank(bank: Bank, codec: Codec, device: str, say: Callable[[str], None] = print) -> LatentBank:
    """Encode what this encoder has not encoded yet; the files lie beside the bank's chunks, named by the encoder."""
    name = codec.digest[:12]
    count = len(bank) // CHUNK
    paths = [bank.folder / f"latents-{name}-{index:05d}.npy" for index in range(count)]
    missing = [index for index in range(count) if not paths[index].exists()]
    for done, index in enumerate(missing, 1):
        _write(paths[index], _encode_chunk(bank, index, codec, device))
        say(f"latents: {done} of {len(missing)} chunks")
    return LatentBank(bank, tuple(np.load(path, mmap_mode="r") for path in paths), codec.factor)


@torch.no_grad()
def _encode_chunk(bank: Bank, index: int, codec: Codec, device: str) -> np.ndarray:
    parts = []
    for start in range(index * CHUNK, (index + 1) * CHUNK, ENCODE_BATCH):
        images = to_signed(torch.stack([bank.image(i) for i in range(start, start + ENCODE_BATCH)])[:, None])
        both = [codec.encode(side.to(device)).cpu() for side in (images, images.flip(-1))]
        parts.append(torch.stack(both, 1).half().numpy())
    return np.concatenate(parts)


def _write(path: Path, array: np.ndarray) -> None:
    temporary = path.with_suffix(".part.npy")
    np.save(temporary, array)
    os.replace(temporary, path)
