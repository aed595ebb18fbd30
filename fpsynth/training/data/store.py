"""A store: named columns on disk, cut into chunks.

    store.json               what decides the bytes, see description.py
    chunk-00000.safetensors  columns of (rows, ...) each; what is known of each row, as JSON in the header

A chunk is written whole or not at all, so a store that was cut off goes on where it ended.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fpsynth.errors import DamagedFile
from fpsynth.files import write_bytes
from fpsynth.work import processes

Say = Callable[[str], None]
Fact = Mapping[str, Any]
Place = int | slice
PREFIX = "chunk-"


@dataclass(frozen=True)
class Chunk:
    """Columns (rows, ...) and, of each row, what is no number for a network (labels); origin: see Store.digest."""

    columns: Mapping[str, Tensor]
    rows: Sequence[Fact] = ()
    origin: str = ""


class Store:
    """The chunks in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, index: int) -> Path:
        """The file of a chunk, there or not."""
        return self.folder / f"{PREFIX}{index:05d}.safetensors"

    def __len__(self) -> int:
        """Chunks that are there."""
        return len(list(self.folder.glob(f"{PREFIX}*.safetensors")))

    def missing(self, count: int) -> list[int]:
        """Those of the first `count` chunks that are not there."""
        return [index for index in range(count) if not self.file(index).exists()]

    def write(self, index: int, chunk: Chunk) -> None:
        """Put a chunk into its file."""
        columns = {name: column.contiguous().cpu() for name, column in chunk.columns.items()}
        facts = {"rows": json.dumps(list(chunk.rows)), "origin": chunk.origin, "digest": _digest(columns)}
        write_bytes(self.file(index), save(columns, facts))

    def fill(
        self, make: Callable[[int], Chunk], indexes: Sequence[int], say: Callable[[int], None], workers: int = 1
    ) -> None:
        """Make these chunks and write them, by several processes if asked; say(n) after the n-th."""
        with processes(min(workers, len(indexes))) as mapper:
            for done, _ in enumerate(mapper(partial(_make, self.folder, make), indexes), 1):
                say(done)

    def read(self, index: int) -> Chunk:
        """A whole chunk, in memory. Raises DamagedFile for one that cannot be read."""
        opened = _Opened(self.file(index))
        return Chunk(
            {name: torch.from_numpy(part[:]) for name, part in opened.slices.items()}, opened.rows, opened.origin
        )

    def columns(self, shapes: Mapping[str, tuple[str, tuple[int, ...]]], count: int) -> "Columns":
        """These columns of the first `count` chunks, to be read piece by piece.

        shapes: safetensors type and shape of each in every chunk. Raises DamagedFile for a chunk that has others.
        """
        return Columns([_Opened(self.file(index)) for index in range(count)], shapes)

    def digest(self, index: int) -> str:
        """Of a chunk's columns when it was written: what is made of it keeps this as its origin."""
        return _Opened(self.file(index)).digest

    def identity(self, count: int) -> str:
        """sha256 over the digests of the first `count` chunks."""
        return sha256(" ".join(map(self.digest, range(count))).encode()).hexdigest()

    def origin(self, index: int) -> str:
        """The digest of what a chunk was made of."""
        return _Opened(self.file(index)).origin


def _make(folder: Path, make: Callable[[int], Chunk], index: int) -> None:
    Store(folder).write(index, make(index))


def _digest(columns: Mapping[str, Tensor]) -> str:
    digest = sha256()
    for name, column in sorted(columns.items()):
        digest.update(f"{name} {column.dtype} {tuple(column.shape)}".encode())
        digest.update(column.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class _Opened:
    """A chunk's file, mapped into memory."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            opened: Any = safe_open(file, "np")
            facts: dict[str, str] = opened.metadata() or {}
            self.rows: list[Fact] = json.loads(facts.get("rows", "[]"))
        except (OSError, ValueError, SafetensorError) as error:
            raise DamagedFile(f"{file}: not a readable chunk ({error})") from None
        self.digest, self.origin = facts.get("digest", ""), facts.get("origin", "")
        self.slices: dict[str, Any] = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118

    def require(self, name: str, kind: str, shape: tuple[int, ...]) -> Any:
        """The slices of a column of this type and shape."""
        found = self.slices.get(name)
        if found is None:
            raise DamagedFile(f"{self.file}: holds no {name}")
        if (found.get_dtype(), tuple(found.get_shape())) != (kind, shape):
            raise DamagedFile(f"{self.file}: {name} is {found.get_dtype()} {found.get_shape()}, not {kind} {[*shape]}")
        return found


class Columns:
    """Columns over the chunks of a store; rows are counted through all chunks."""

    def __init__(self, chunks: Iterable[_Opened], shapes: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
        opened = list(chunks)
        self._parts = {name: [one.require(name, *shape) for one in opened] for name, shape in shapes.items()}
        self._rows = next(iter(shapes.values()))[1][0]
        self.rows: list[list[Fact]] = [one.rows for one in opened]

    def read(self, name: str, row: int, *place: Place) -> Tensor:
        """The part of a row of a column; reads only what it returns."""
        chunk, inside = divmod(row, self._rows)
        return torch.from_numpy(self._parts[name][chunk][(inside, *place)])
