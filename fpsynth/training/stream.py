"""Reading a bank: whole images, random crops, and style references from the same device but another finger."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fpsynth.errors import DamagedFile, UserError
from fpsynth.training.bank import CHUNK, SIZE, Labels, chunk_files


class Bank:
    """A bank on disk, memory-mapped. Raises UserError when there is none, DamagedFile for what cannot be read."""

    def __init__(self, folder: Path, chunks: int | None = None) -> None:
        count = _whole_chunks(folder) if chunks is None else chunks
        missing = [i for i in range(count) if not chunk_files(folder, i)[2].exists()]
        if missing or not count:
            raise UserError(f"{folder}: not a bank of rendered images, or not whole; build it again to complete it")
        files = [chunk_files(folder, i) for i in range(count)]
        self.folder = folder
        self._images = [_array(f[0], (CHUNK, SIZE, SIZE)) for f in files]
        self._planes = [_array(f[1], (CHUNK, 3, SIZE, SIZE)) for f in files]
        self.labels = [label for f in files for label in _labels(f[2])]
        self.partners = style_partners(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int) -> Tensor:
        """uint8 (512, 512)."""
        return torch.from_numpy(self._images[index // CHUNK][index % CHUNK].copy())

    def planes(self, index: int) -> Tensor:
        """uint8 (3, 512, 512)."""
        return torch.from_numpy(self._planes[index // CHUNK][index % CHUNK].copy())

    def image_crop(self, index: int, top: int, left: int, size: int) -> Tensor:
        """uint8 (size, size); reads only what it returns."""
        rows, cols = slice(top, top + size), slice(left, left + size)
        return torch.from_numpy(self._images[index // CHUNK][index % CHUNK, rows, cols].copy())

    def planes_crop(self, index: int, top: int, left: int, size: int) -> Tensor:
        """uint8 (3, size, size); reads only what it returns."""
        rows, cols = slice(top, top + size), slice(left, left + size)
        return torch.from_numpy(self._planes[index // CHUNK][index % CHUNK, :, rows, cols].copy())

    def partner(self, index: int, generator: torch.Generator) -> int:
        """Another image of the same device, of another finger; the image itself where there is none."""
        partners = self.partners[index]
        return partners[int(torch.randint(len(partners), (1,), generator=generator))] if partners else index


def style_partners(labels: list[Labels]) -> list[tuple[int, ...]]:
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


def _array(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DamagedFile(f"{file}: not a readable array ({error})") from None
    if array.shape != shape or array.dtype != np.uint8:
        raise DamagedFile(f"{file}: holds {array.dtype} {array.shape}, not uint8 {shape}")
    return array


def _labels(file: Path) -> list[Labels]:
    try:
        labels = [Labels(**one) for one in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise DamagedFile(f"{file}: not a list of labels ({error})") from None
    if len(labels) != CHUNK:
        raise DamagedFile(f"{file}: labels of {len(labels)} images, not of {CHUNK}")
    return labels


def _whole_chunks(folder: Path) -> int:
    return len(list(folder.glob("labels-*.json")))
