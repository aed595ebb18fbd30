"""A format that fpsynth does not have: one tar for each shard, an image and a JSON row for each print."""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from fpsynth.dataset.formats.protocol import Format
from fpsynth.dataset.item import Item, class_names, row_item
from fpsynth.dataset.reader.disk import files_below
from fpsynth.dataset.reader.sidecars import Sidecars, expected
from fpsynth.dataset.reader.unit import Unit
from fpsynth.dataset.row import Row, facts, metadata_features, png
from fpsynth.dataset.sidecar import write_sidecars
from fpsynth.dataset.spec import DatasetSpec, ShardPlace, image_stem, split_of
from fpsynth.dataset.stored import Stored
from fpsynth.files import replacing


class Layout(Format):
    """data/SPLIT-00000-of-00010.tar, sidecars in minutiae/."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def shard(self, place: ShardPlace) -> Path:
        return self.root / "data" / f"{place.stem}.tar"

    def write(self, place: ShardPlace, rows: Iterable[Row], sidecars: tuple[str, ...]) -> int:
        count = 0
        with replacing(self.shard(place)) as temporary, tarfile.open(temporary, "w") as archive:
            for row in rows:
                write_sidecars(image_stem(self.root / "minutiae", place.split, row.identity, row.id), row, sidecars)
                encoded = png(row)
                told = {"file_name": f"{row.id}.png", **facts(row, encoded)}
                _add(archive, f"{row.id}.png", encoded)
                _add(archive, f"{row.id}.json", json.dumps(told).encode())
                count += 1
        return count

    def close(self, spec: DatasetSpec) -> list[tuple[str, Path]]:
        return [(place.split, self.shard(place)) for place in spec.places]

    def columns(self, file: Path, names: Sequence[str]) -> Any:
        import pyarrow as pa

        rows = [row for row, _ in _rows(file)]
        return pa.Table.from_pylist(rows, schema=metadata_features().arrow_schema).select(list(names))

    def rows(self, file: Path, sidecars: tuple[str, ...] = ()) -> Iterator[Stored]:
        beside = Sidecars(self.root / "minutiae", sidecars)
        for row, encoded in _rows(file):
            yield Stored(row, encoded, beside.read(split_of(file.stem), row["identity"], row["id"]))

    def size(self, file: Path) -> int:
        return file.stat().st_size

    def data_files(self, split: str) -> str:
        return f"data/{split}-*.tar"

    def units(self, sidecars: tuple[str, ...]) -> tuple[Unit, ...] | None:
        beside = expected(self.root / "minutiae", sidecars)
        return tuple(TarUnit(file, self.root, beside) for file in files_below(self.root, (".tar",))) or None


@dataclass(frozen=True)
class TarUnit:
    """A shard."""

    path: Path
    root: Path
    sidecars: Sidecars | None

    @property
    def name(self) -> str:
        return self.path.relative_to(self.root).as_posix()

    @property
    def whole(self) -> bool:
        return True

    @property
    def state(self) -> str:
        return self.sidecars.state if self.sidecars else ""

    def count(self) -> int:
        return sum(1 for _ in _rows(self.path))

    def digest(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def read(self) -> Iterator[Item]:
        labels, split = class_names(metadata_features().arrow_schema), split_of(self.path.stem)
        for row, encoded in _rows(self.path):
            beside = self.sidecars.read(split, row["identity"], row["id"]) if self.sidecars else {}
            yield row_item(row, labels=labels, name=row["id"], encoded=encoded, split=split, sidecars=beside)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, BytesIO(content))


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """(row, image) by image. Raises ValueError for a file that is no tar."""
    try:
        with tarfile.open(path) as archive:
            contents = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
    except tarfile.TarError as error:
        raise ValueError(str(error)) from None
    for name, content in contents.items():
        if name.endswith(".json"):
            row = json.loads(content)
            yield row, contents[row["file_name"]]
