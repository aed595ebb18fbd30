"""Image folders: a metadata.parquet that names the images below it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpsynth.dataset.item import Item, class_names, row_item
from fpsynth.dataset.reader.disk import content
from fpsynth.dataset.reader.sidecars import Sidecars

METADATA = "metadata.parquet"


@dataclass(frozen=True)
class MetadataUnit:
    """A row group of an image folder's metadata.parquet, and the images that it names."""

    path: Path
    group: int
    name: str
    sidecars: Sidecars | None = None

    @property
    def whole(self) -> bool:
        return False

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
            name = str(row.get("id") or f"{split}/{row['file_name']}")
            sidecars = self.sidecars.read(split, row.get("identity"), name) if self.sidecars else {}
            yield row_item(
                row,
                labels=labels,
                name=name,
                encoded=self._image(row),
                split=split,
                sidecars=sidecars,
            )

    def _rows(self) -> list[dict[str, Any]]:
        import pyarrow.parquet as pq

        rows: list[dict[str, Any]] = pq.ParquetFile(self.path).read_row_group(self.group).to_pylist()
        if not all(isinstance(row.get("file_name"), str) for row in rows):
            raise ValueError("there are rows without a file_name")
        return rows

    def _image(self, row: dict[str, Any]) -> bytes:
        """The image's bytes; none where the file is not there or the name leads out of the folder."""
        path = self.path.parent / row["file_name"]
        if not path.resolve().is_relative_to(self.path.parent.resolve()):
            return b""
        return content(path) or b""


def metadata_units(table: Path, root: Path, sidecars: Sidecars | None) -> Iterator[MetadataUnit]:
    """Its row groups; one unit where it is damaged, so that it is looked at and named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        groups = pq.read_metadata(table).num_row_groups
    except (pa.ArrowException, OSError):
        groups = 1
    for group in range(groups):
        yield MetadataUnit(table, group, table.relative_to(root).as_posix(), sidecars)
