"""Tar shards as WebDataset reads them: data/SPLIT-00000-of-00010.tar with ID.png, ID.json, ID.cls and the sidecars.

The JSON holds the columns with their words spelled out; ID.cls is the identity. Inside the archive the JSON sidecar is
called ID.minutiae.json.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpsynth.dataset.formats.protocol import Format
from fpsynth.dataset.item import Item, row_item
from fpsynth.dataset.manifest import digest
from fpsynth.dataset.reader.disk import files_below
from fpsynth.dataset.reader.plain_folder import IMAGES
from fpsynth.dataset.reader.unit import Unit
from fpsynth.dataset.row import Row, facts, metadata_features, png
from fpsynth.dataset.sidecar import encode
from fpsynth.dataset.spec import DatasetSpec, ShardPlace
from fpsynth.dataset.stored import Stored
from fpsynth.files import replacing
from fpsynth.vocabulary import SIDECARS

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

ENDING = ".tar"
INSIDE = {**SIDECARS, "json": ".minutiae.json"}
"""Endings of the sidecars' names in the archive."""
NAME = re.compile(r"((?:.*/)?[^./]+)(\.[^/]*)")
"""What a file has in common with the others of its sample, and its ending, as webdataset parts them."""
NUMBER = re.compile(r"(^|[-_])\d+(-of-\d+)?$")
"""What stands behind the split in the name of a shard, ours or anybody's."""


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
        for key, members in _samples(file):
            told = _coded(key, _told(key, members))
            yield Stored(told, members.get(".png", b""), {form: members.get(INSIDE[form]) for form in sidecars})

    def size(self, file: Path) -> int:
        return file.stat().st_size

    def data_files(self, split: str) -> str:
        return f"data/{split}-*{ENDING}"

    def features(self) -> None:
        return None

    def units(self, sidecars: tuple[str, ...]) -> tuple[Unit, ...] | None:
        shards = [file for file in files_below(self.root, (ENDING,)) if _has_columns(file)]
        return tuple(TarUnit(file, self.root, sidecars) for file in shards) or None


@dataclass(frozen=True)
class TarUnit:
    """A shard, of ours or anybody's."""

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
        split = NUMBER.sub("", self.path.stem) or None
        for key, members in _samples(self.path):
            told = _told(key, members)
            yield row_item(
                told,
                labels={},
                name=str(told.get("id") or f"{self.name}#{key}"),
                encoded=next((members[ending] for ending in IMAGES if ending in members), b""),
                split=split,
                sidecars={form: members.get(INSIDE[form]) for form in self.sidecars},
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


def _samples(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The name of one sample after the other, and its files by their endings. Raises ValueError for no archive."""
    key, members = "", dict[str, bytes]()
    try:
        with tarfile.open(path, "r|") as archive:
            for member in archive:
                name, stream = NAME.fullmatch(member.name), archive.extractfile(member) if member.isfile() else None
                if name is None or stream is None:
                    continue
                if members and name[1] != key:
                    yield key, members
                    members = {}
                key, members = name[1], {**members, name[2].lower(): stream.read()}
    except tarfile.TarError as error:
        raise ValueError(str(error)) from None
    if members:
        yield key, members


def _has_columns(path: Path) -> bool:
    """Whether the first sample of an archive has JSON; a damaged one may have, so that it is looked at and named."""
    try:
        return any(".json" in members for _, members in islice(_samples(path), 1))
    except (OSError, ValueError):
        return True


def _told(key: str, members: Mapping[str, bytes]) -> dict[str, Any]:
    """The JSON of a sample. Raises ValueError where there is none."""
    try:
        told = json.loads(members.get(".json", b"null"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{key}: its JSON is damaged ({error})") from None
    if not isinstance(told, dict):
        raise ValueError(f"{key}: has no JSON that says its columns")
    return told


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


def _coded(key: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """The columns as facts() gave them. Raises ValueError where they are others."""
    if told.get("id") is None or told.get("identity") is None:
        raise ValueError(f"{key}: not the columns of a dataset of fpsynth (no id, or no identity)")
    try:
        coded: dict[str, Any] = _columns().encode_example({"file_name": "", **told})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{key}: not the columns of a dataset of fpsynth ({error})") from None
    return coded
