"""Where images come from: our Parquet shards and image folders, other people's, and plain folders of fingerprints.

A source is cut into units (a shard, a row group, some files). A unit is small, can be sent to another process, and
gives its items one by one.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from fpsynth.dataset.row import KINDS
from fpsynth.dataset.spec import SIDECARS
from fpsynth.errors import UserError
from fpsynth.inspect.item import Item, word_columns
from fpsynth.minutiae import Minutia

IMAGES = (".png", ".tif", ".tiff", ".bmp", ".pgm", ".jpg", ".jpeg")
STEM = re.compile(r"^(.*)[_-](\d+)$")
LABELS = ("identity", "label", "subject", "finger", "person", "id")
"""Columns that say whose finger it is, the first that is there."""
CHUNK = 64
"""Files of a plain folder in one unit."""
BUFFER = 1 << 20
"""Bytes of a Parquet column that are read at once."""
ROWS = 256
"""A Parquet file of more rows is cut between its row groups."""


class Unit(Protocol):
    """Some images that are read together."""

    @property
    def name(self) -> str:
        """The file or folder, for messages."""

    def count(self) -> int:
        """How many images there are, without reading them."""

    @property
    def state(self) -> str:
        """Changes when files that the digest does not cover (sidecars) change."""

    def digest(self) -> str:
        """SHA-256 of the file, or of the images."""

    def read(self) -> Iterator[Item]:
        """The images, one by one."""


@dataclass(frozen=True)
class Sidecars:
    """Which sidecar formats to expect, and the folder that holds SPLIT/IDENTITY/ID.ext."""

    folder: Path
    formats: tuple[str, ...]
    state: str

    def read(self, split: str, identity: int, name: str) -> dict[str, bytes | None]:
        """Contents by format; None for a file that is not there."""
        stem = self.folder / split / f"{identity:06d}"
        return {form: _content(stem / (name + SIDECARS[form])) for form in self.formats}


@dataclass(frozen=True)
class ParquetUnit:
    """A Parquet file with an image column, one of our shards or anybody's, or some of its row groups.

    groups is None for the whole file; first is the number of the first row.
    """

    path: Path
    name: str
    sidecars: Sidecars | None = None
    groups: tuple[int, ...] | None = None
    first: int = 0

    @property
    def state(self) -> str:
        return self.sidecars.state if self.sidecars else ""

    def count(self) -> int:
        import pyarrow.parquet as pq

        stored = pq.read_metadata(self.path)
        if self.groups is None:
            return int(stored.num_rows)
        return sum(int(stored.row_group(group).num_rows) for group in self.groups)

    def digest(self) -> str:
        if self.groups is None:
            return file_digest(self.path)
        total = hashlib.sha256(f"rows from {self.first}".encode())
        with open(self.path, "rb") as stream:
            for start, size in self._extents(self.groups):
                stream.seek(start)
                total.update(stream.read(size))
        return total.hexdigest()

    def _extents(self, groups: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """Where the row groups lie in the file, and how many bytes they take."""
        import pyarrow.parquet as pq

        stored = pq.read_metadata(self.path)
        for group in groups:
            columns = [stored.row_group(group).column(i) for i in range(stored.num_columns)]
            for column in columns:
                start = column.data_page_offset
                if column.has_dictionary_page:
                    start = min(start, column.dictionary_page_offset)
                yield start, column.total_compressed_size

    @cached_property
    def split(self) -> str:
        """The part of the file's name before -00000-of-00010."""
        return re.sub(r"-\d+-of-\d+$", "", self.path.stem)

    def read(self) -> Iterator[Item]:
        import pyarrow.parquet as pq

        stored = pq.ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False)  # else a whole row group is held
        names, labels = stored.schema_arrow.names, class_names(stored.schema_arrow)
        label = next((column for column in LABELS if column in names), None)
        number = self.first
        for batch in stored.iter_batches(batch_size=CHUNK, row_groups=self.groups, use_threads=False):
            for row in batch.to_pylist():
                yield self._item(row, labels, label, number)
                number += 1

    def _item(self, row: dict[str, Any], labels: Mapping[str, list[str]], label: str | None, number: int) -> Item:
        image = row.get("image")
        encoded = image.get("bytes") if isinstance(image, dict) else image
        name = str(row.get("id") or f"{self.name}#{number}")
        sidecars = self.sidecars.read(self.split, row["identity"], name) if self.sidecars else {}
        return row_item(row, labels, label, name, encoded or b"", self.split, sidecars)


@dataclass(frozen=True)
class MetadataUnit:
    """A row group of an image folder's metadata.parquet, and the images that it names."""

    path: Path
    group: int
    name: str
    sidecars: Sidecars | None = None

    @property
    def state(self) -> str:
        return self.sidecars.state if self.sidecars else ""

    def count(self) -> int:
        import pyarrow.parquet as pq

        return int(pq.read_metadata(self.path).row_group(self.group).num_rows)

    def digest(self) -> str:
        total = hashlib.sha256()
        for row in self._rows():
            total.update(json.dumps(row, default=str).encode())
            total.update(hashlib.sha256(self._image(row)).digest())
        return total.hexdigest()

    def read(self) -> Iterator[Item]:
        import pyarrow.parquet as pq

        labels, split = class_names(pq.read_schema(self.path)), self.path.parent.name
        for row in self._rows():
            name = str(row.get("id") or row["file_name"])
            sidecars = self.sidecars.read(split, row["identity"], name) if self.sidecars else {}
            yield row_item(row, labels, "identity", name, self._image(row), split, sidecars)

    def _rows(self) -> list[dict[str, Any]]:
        import pyarrow.parquet as pq

        rows: list[dict[str, Any]] = pq.ParquetFile(self.path).read_row_group(self.group).to_pylist()
        return rows

    def _image(self, row: dict[str, Any]) -> bytes:
        """The image's bytes; none where the file is not there or the name leads out of the folder."""
        path = self.path.parent / row["file_name"]
        if not path.resolve().is_relative_to(self.path.parent.resolve()):
            return b""
        return _content(path) or b""


@dataclass(frozen=True)
class FilesUnit:
    """Some image files of a plain folder with the identity and the impression that their names give."""

    name: str
    files: tuple[tuple[Path, str, int], ...]

    @property
    def state(self) -> str:
        return ""

    def count(self) -> int:
        return len(self.files)

    def digest(self) -> str:
        total = hashlib.sha256()
        for path, identity, impression in self.files:
            total.update(f"{path.name}/{identity}/{impression}/".encode())
            total.update(hashlib.sha256(_content(path) or b"").digest())
        return total.hexdigest()

    def read(self) -> Iterator[Item]:
        for path, identity, impression in self.files:
            yield Item(path.name, identity, impression, _content(path) or b"")


@dataclass(frozen=True)
class Source:
    """A dataset, cut into units in the order of their file names. ours: made by fpsynth."""

    root: Path
    form: str
    units: tuple[Unit, ...]
    ours: bool


def open_source(path: Path, manifest: Mapping[str, Any] | None) -> Source:
    """What kind of dataset lies at path. Raises UserError where there are no images."""
    if path.is_file():
        return Source(path.parent, "parquet", tuple(_parquet_units(path, path.parent, None)), ours=False)
    formats = tuple(f for f in (manifest or {}).get("sidecars", ()) if f in SIDECARS)
    if shards := [file for file in _files(path, (".parquet",)) if _has_images(file)]:
        sidecars = _sidecars(path / "minutiae", formats)
        units = tuple(unit for file in shards for unit in _parquet_units(file, path, sidecars))
        return Source(path, "parquet", units, ours=manifest is not None)
    if tables := sorted(path.glob("*/metadata.parquet")):
        sidecars = _sidecars(path, formats)
        groups = tuple(unit for table in tables for unit in _metadata_units(table, path, sidecars))
        return Source(path, "png", groups, ours=manifest is not None)
    if not (files := _files(path, IMAGES)):
        raise UserError(f"{path}: no images, no Parquet shards, no recipe and no model are there")
    return Source(path, "folder", tuple(_file_units(files, path)), ours=False)


def _sidecars(folder: Path, formats: tuple[str, ...]) -> Sidecars | None:
    """What to expect below a folder, and the state of all sidecar files that are there."""
    if not formats:
        return None
    total = hashlib.sha256()
    for file in _files(folder, tuple(SIDECARS[form] for form in formats)):
        facts = file.stat()
        total.update(f"{file.name}/{facts.st_size}/{facts.st_mtime_ns}/".encode())
    return Sidecars(folder, formats, total.hexdigest())


def _files(root: Path, endings: tuple[str, ...]) -> list[Path]:
    """Files below root with one of these endings; what begins with a dot is passed by."""
    found = (p for p in root.rglob("*") if p.suffix.lower() in endings and p.is_file())
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(root).parts))


def _has_images(path: Path) -> bool:
    """Whether a Parquet file has an image column; a damaged one may have, so that it is looked at and named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.name.startswith("metadata"):
        return False
    try:
        return "image" in pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return True


def _parquet_units(path: Path, root: Path, sidecars: Sidecars | None) -> Iterator[ParquetUnit]:
    """A file as one unit where it is small or damaged, else runs of row groups of some hundred rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = path.relative_to(root).as_posix()
    try:
        stored = pq.read_metadata(path)
        sizes = [stored.row_group(group).num_rows for group in range(stored.num_row_groups)]
    except (pa.ArrowException, OSError):
        sizes = []
    if sum(sizes) <= ROWS or len(sizes) <= 1:
        yield ParquetUnit(path, name, sidecars)
        return
    run, first = [], 0
    for group in range(len(sizes)):
        run.append(group)
        rows = sum(sizes[run[0] : group + 1])
        if rows >= ROWS or group == len(sizes) - 1:
            yield ParquetUnit(path, name, sidecars, tuple(run), first)
            run, first = [], first + rows


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _metadata_units(table: Path, root: Path, sidecars: Sidecars | None) -> Iterator[MetadataUnit]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        groups = pq.read_metadata(table).num_row_groups
    except (pa.ArrowException, OSError):
        groups = 1
    for group in range(groups):
        yield MetadataUnit(table, group, table.relative_to(root).as_posix(), sidecars)


def _file_units(files: list[Path], root: Path) -> Iterator[FilesUnit]:
    """FINGER_IMPRESSION in the name of the file, or else the folder is the finger."""
    matches = [STEM.match(file.stem) for file in files]
    by_name = sum(match is not None for match in matches) * 2 >= len(files)
    labelled = []
    for number, (file, match) in enumerate(zip(files, matches, strict=True)):
        if by_name:
            labelled.append((file, match[1], int(match[2])) if match else (file, file.stem, 1))
        else:
            labelled.append((file, file.parent.relative_to(root).as_posix(), number))
    for start in range(0, len(labelled), CHUNK):
        first = labelled[start][0].relative_to(root).as_posix()
        yield FilesUnit(first, tuple(labelled[start : start + CHUNK]))


def class_names(schema: Any) -> dict[str, list[str]]:
    """Names of the class labels, by column, from the metadata that `datasets` writes into a Parquet schema."""
    info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    return {column: feature["names"] for column, feature in info.items() if "names" in feature}


def row_item(
    row: Mapping[str, Any],
    labels: Mapping[str, list[str]],
    label: str | None,
    name: str,
    encoded: bytes,
    split: str,
    sidecars: Mapping[str, bytes | None],
) -> Item:
    """The item of a row; columns that are not there are not said."""
    words = {column: _word(row[column], labels.get(column)) for column in word_columns() if column in row}
    size = (row["width"], row["height"]) if row.get("width") and row.get("height") else None
    return Item(
        name=name,
        identity=str(row[label]) if label else name,
        impression=int(row.get("impression") or 0),
        encoded=encoded,
        split=split,
        subject=str(row["subject"]) if row.get("subject") is not None else None,
        words=words,
        minutiae=_minutiae(row["minutiae"]) if row.get("minutiae") is not None else None,
        ppi=row.get("ppi"),
        size=size,
        sha256=row.get("sha256"),
        gate=_gate(row.get("gate")),
        sidecars=sidecars,
    )


def _word(value: Any, names: list[str] | None) -> str | None:
    if isinstance(value, int) and names:
        return names[value]
    return None if value is None else str(value)


def _minutiae(rows: list[dict[str, Any]]) -> tuple[Minutia, ...]:
    return tuple(Minutia(m["x"], m["y"], m["angle"], _kind(m.get("kind")), m.get("quality") or 0) for m in rows)


def _kind(value: Any) -> Any:
    return KINDS[value] if isinstance(value, int) else (value or "ending")


def _gate(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    from fpsynth.gate.verdict import WORDS as VERDICTS

    if value is None:
        return None
    verdict = value.get("verdict")
    return {**value, "verdict": VERDICTS[verdict] if isinstance(verdict, int) else verdict}


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
