"""Image folders as `datasets` knows them: a table called metadata beside the images or above them, which names them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpsynth.dataset.item import LABELS, Item, class_names, row_item
from fpsynth.dataset.reader.disk import content
from fpsynth.dataset.reader.sidecars import Sidecars

if TYPE_CHECKING:
    import pyarrow as pa

METADATA = "metadata.parquet"
TABLES = (METADATA, "metadata.jsonl", "metadata.csv")
"""The first that a folder has is read."""
ROWS = 4096
"""Of a table that has no row groups so many rows are one: each is read by going through the whole file."""
LINE = 1 << 16
"""Bytes of the first line that are looked at."""


@dataclass(frozen=True)
class MetadataUnit:
    """A row group of an image folder's table, and the images that it names. split: its folder, unless that is the
    dataset's own."""

    path: Path
    group: int
    name: str
    split: str | None
    sidecars: Sidecars | None = None

    @property
    def whole(self) -> bool:
        return False

    @property
    def state(self) -> str:
        return self.sidecars.state if self.sidecars else ""

    def count(self) -> int:
        import pyarrow.parquet as pq

        if self.path.name == METADATA:
            return int(pq.read_metadata(self.path).row_group(self.group).num_rows)
        return int(self._table().num_rows)

    def digest(self) -> str:
        total = hashlib.sha256()
        for row in _rows(self._table()):
            total.update(json.dumps(row, default=str).encode())
            total.update(hashlib.sha256(self._image(row)).digest())
        return total.hexdigest()

    def read(self) -> Iterator[Item]:
        table = self._table()
        labels = class_names(table.schema)
        for row in _rows(table):
            name = str(row.get("id") or "/".join(filter(None, (self.split, row["file_name"]))))
            sidecars = self.sidecars.read(self.split or "", row.get("identity"), name) if self.sidecars else {}
            yield row_item(
                row,
                labels=labels,
                name=name,
                encoded=self._image(row),
                split=self.split,
                sidecars=sidecars,
            )

    def _table(self) -> "pa.Table":
        import pyarrow.parquet as pq

        if self.path.name == METADATA:
            return pq.ParquetFile(self.path).read_row_group(self.group)
        return _read_text(self.path).slice(self.group * ROWS, ROWS)

    def _image(self, row: dict[str, Any]) -> bytes:
        """The image's bytes; none where the file is not there or the name leads out of the folder."""
        path = self.path.parent / row["file_name"]
        if not path.resolve().is_relative_to(self.path.parent.resolve()):
            return b""
        return content(path) or b""


def tables_of(root: Path) -> list[Path]:
    """The table of the folder and of each folder in it, where there is one."""
    tables = [[folder / name for name in TABLES if _names_files(folder / name)] for folder in (root, *root.glob("*"))]
    return sorted(own[0] for own in tables if own)


def _names_files(table: Path) -> bool:
    """Whether it is there and is a table of images: people call other things metadata.csv."""
    if not table.is_file():
        return False
    with open(table, "rb") as stream:
        return table.name == METADATA or b"file_name" in stream.readline(LINE)


def metadata_units(table: Path, root: Path, sidecars: Sidecars | None) -> Iterator[MetadataUnit]:
    """Its row groups; one unit where it is damaged, so that it is looked at and named."""
    import pyarrow as pa

    try:
        groups = _groups(table)
    except (pa.ArrowException, OSError):
        groups = 1
    split = None if table.parent == root else table.parent.name
    for group in range(groups):
        yield MetadataUnit(table, group, table.relative_to(root).as_posix(), split, sidecars)


def _rows(table: "pa.Table") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    if not all(isinstance(row.get("file_name"), str) for row in rows):
        raise ValueError("there are rows without a file_name")
    return rows


def _groups(table: Path) -> int:
    import pyarrow.parquet as pq

    if table.name == METADATA:
        return int(pq.read_metadata(table).num_row_groups)
    return -(-int(_read_text(table).num_rows) // ROWS)


def _read_text(table: Path) -> "pa.Table":
    """All rows of a CSV or JSON lines file. Whose finger it is stays text: 007 is not 7."""
    import pyarrow as pa
    from pyarrow import csv
    from pyarrow import json as json_lines

    if table.suffix == ".csv":
        names = dict.fromkeys((*LABELS, "subject", "file_name"), pa.string())
        return csv.read_csv(table, convert_options=csv.ConvertOptions(column_types=names, strings_can_be_null=True))
    return json_lines.read_json(table)
