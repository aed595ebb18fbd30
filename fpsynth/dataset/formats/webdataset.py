"""Tar shards as WebDataset reads them: data/SPLIT-00000-of-00010.tar with ID.png, ID.json, ID.cls and the sidecars.

The JSON holds the columns with their words spelled out; ID.cls is the identity. Inside the archive the JSON sidecar is
called ID.minutiae.json.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpsynth.dataset.formats.protocol import Format
from fpsynth.dataset.item import Item, class_names, row_item
from fpsynth.dataset.manifest import digest
from fpsynth.dataset.reader.disk import files_below
from fpsynth.dataset.reader.unit import Unit
from fpsynth.dataset.row import Row, facts, metadata_features, png
from fpsynth.dataset.sidecar import encode
from fpsynth.dataset.spec import DatasetSpec, ShardPlace, split_of
from fpsynth.dataset.stored import Stored
from fpsynth.files import replacing
from fpsynth.vocabulary import SIDECARS

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

ENDING = ".tar"
INSIDE = {**SIDECARS, "json": ".minutiae.json"}
"""Endings of the sidecars' names in the archive."""


class Layout(Format):
    """Shards that `webdataset` and `datasets` read as they are."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def shard(self, place: ShardPlace) -> Path:
        return self.root / "data" / f"{place.stem}{ENDING}"

    def write(self, place: ShardPlace, rows: Iterable[Row], sidecars: tuple[str, ...]) -> int:
        count = 0
        with replacing(self.shard(place)) as temporary, tarfile.open(temporary, "w") as archive:
            for row in rows:
                for ending, content in _members(row, sidecars).items():
                    _add(archive, row.id + ending, content)
                count += 1
        return count

    def close(self, spec: DatasetSpec) -> list[tuple[str, Path]]:
        return [(place.split, self.shard(place)) for place in spec.places]

    def columns(self, file: Path, names: Sequence[str]) -> "pa.Table":
        import pyarrow as pa

        schema = pa.schema([_columns().arrow_schema.field(name) for name in names])
        return pa.Table.from_pylist([stored.facts for stored in self.rows(file)], schema=schema)

    def rows(self, file: Path, sidecars: tuple[str, ...] = ()) -> Iterator[Stored]:
        for members in _samples(file):
            told = _coded(json.loads(members[".json"]))
            yield Stored(told, members.get(".png", b""), {form: members.get(INSIDE[form]) for form in sidecars})

    def size(self, file: Path) -> int:
        return file.stat().st_size

    def data_files(self, split: str) -> str:
        return f"data/{split}-*{ENDING}"

    def features(self) -> None:
        return None

    def units(self, sidecars: tuple[str, ...]) -> tuple[Unit, ...] | None:
        return tuple(TarUnit(file, self.root, sidecars) for file in files_below(self.root, (ENDING,))) or None


@dataclass(frozen=True)
class TarUnit:
    """A shard."""

    path: Path
    root: Path
    sidecars: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.relative_to(self.root).as_posix()

    @property
    def whole(self) -> bool:
        return True

    @property
    def state(self) -> str:
        return ""

    def count(self) -> int:
        return sum(1 for _ in _samples(self.path))

    def digest(self) -> str:
        return digest(self.path)

    def read(self) -> Iterator[Item]:
        labels = class_names(_columns().arrow_schema)
        for stored in Layout(self.root).rows(self.path, self.sidecars):
            yield row_item(
                stored.facts,
                labels=labels,
                label="identity",
                name=stored.facts["id"],
                encoded=stored.encoded,
                split=split_of(self.path.stem),
                sidecars=stored.sidecars,
            )


def _members(row: Row, sidecars: tuple[str, ...]) -> Mapping[str, bytes]:
    """The files of one image, by their endings."""
    encoded = png(row)
    told = {name: _said(value, _columns()[name]) for name, value in facts(row, encoded).items()}
    return {
        ".png": encoded,
        ".json": json.dumps(told).encode(),
        ".cls": str(row.identity).encode(),
        **{INSIDE[form]: encode(form, row) for form in sidecars},
    }


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # no times, no owners: the same rows give the same bytes
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _samples(path: Path) -> Iterator[dict[str, bytes]]:
    """The files of one image after the other, by their endings. Raises ValueError for a file that is no archive."""
    key, members = "", dict[str, bytes]()
    try:
        with tarfile.open(path, "r|") as archive:
            for member in archive:
                stream = archive.extractfile(member)
                name, _, ending = member.name.partition(".")
                if members and name != key:
                    yield members
                    members = {}
                key, members = name, {**members, f".{ending}": stream.read() if stream else b""}
    except tarfile.TarError as error:
        raise ValueError(str(error)) from None
    if members:
        yield members


@cache
def _columns() -> "Features":
    return metadata_features()


def _said(value: Any, column: Any) -> Any:
    """A value in the precision of its column, with the names of class labels in place of their codes."""
    from datasets import ClassLabel, List

    if value is None:
        return None
    if isinstance(column, ClassLabel):
        return column.int2str(value)
    if isinstance(column, List):
        return [_said(entry, column.feature) for entry in value]
    if isinstance(column, dict):
        return {name: _said(entry, column[name]) for name, entry in value.items()}
    return float(np.float32(value)) if column.dtype == "float32" else value


def _coded(told: Mapping[str, Any]) -> dict[str, Any]:
    """The columns as facts() gave them. Raises ValueError where they are others."""
    try:
        coded: dict[str, Any] = _columns().encode_example({"file_name": "", **told})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the columns of a dataset of fpsynth ({error})") from None
    return coded
