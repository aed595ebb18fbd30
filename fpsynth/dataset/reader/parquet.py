"""Parquet files with an image column: our shards, or anybody's."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fpsynth.dataset.item import Item, class_names, row_item
from fpsynth.dataset.manifest import digest
from fpsynth.dataset.reader.sidecars import Sidecars
from fpsynth.dataset.reader.unit import CHUNK
from fpsynth.dataset.spec import split_of

BUFFER = 1 << 20
"""Bytes of a Parquet column that are read at once."""
ROWS = 256
"""A Parquet file of more rows is cut between its row groups."""


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
    def whole(self) -> bool:
        return self.groups is None

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
            return digest(self.path)
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
        """The split that the file's name says."""
        return split_of(self.path.stem)

    def read(self) -> Iterator[Item]:
        import pyarrow.parquet as pq

        stored = pq.ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False)  # else a whole row group is held
        labels, number = class_names(stored.schema_arrow), self.first
        for batch in stored.iter_batches(batch_size=CHUNK, row_groups=self.groups, use_threads=False):
            for row in batch.to_pylist():
                yield self._item(row, labels, number)
                number += 1

    def _item(self, row: dict[str, Any], labels: Mapping[str, list[str]], number: int) -> Item:
        image = row.get("image")
        encoded = image.get("bytes") if isinstance(image, dict) else image
        name = str(row.get("id") or f"{self.name}#{number}")
        sidecars = self.sidecars.read(self.split, row.get("identity"), name) if self.sidecars else {}
        return row_item(
            row,
            labels=labels,
            name=name,
            encoded=encoded if isinstance(encoded, bytes) else b"",
            split=self.split,
            sidecars=sidecars,
        )


def has_images(path: Path) -> bool:
    """Whether a Parquet file has an image column; a damaged one may have, so that it is looked at and named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.name.startswith("metadata"):
        return False
    try:
        return "image" in pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return True


def parquet_units(path: Path, root: Path, sidecars: Sidecars | None) -> Iterator[ParquetUnit]:
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
