"""An image folder: SPLIT/IDENTITY/ID.png, sidecars beside the images, the columns in SPLIT/metadata.parquet."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpsynth.dataset.formats.protocol import Format
from fpsynth.dataset.reader.disk import content
from fpsynth.dataset.reader.image_folder import METADATA, metadata_units, tables_of
from fpsynth.dataset.reader.sidecars import Sidecars, expected
from fpsynth.dataset.reader.unit import Unit
from fpsynth.dataset.row import Row, facts, metadata_features, png
from fpsynth.dataset.sidecar import write_sidecars
from fpsynth.dataset.spec import PARTS, DatasetSpec, ShardPlace, image_stem, split_of
from fpsynth.dataset.stored import Stored
from fpsynth.dataset.table import merge_tables, read_columns, read_rows, write_table
from fpsynth.files import write_bytes

if TYPE_CHECKING:
    import pyarrow as pa

ENDING = ".png"


class Layout(Format):
    """The metadata of a shard waits among the parts until the dataset is closed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def shard(self, place: ShardPlace) -> Path:
        return self.root / PARTS / f"{place.stem}.parquet"

    def write(self, place: ShardPlace, rows: Iterable[Row], sidecars: tuple[str, ...]) -> int:
        def record(row: Row) -> dict[str, Any]:
            stem = image_stem(self.root, place.split, row.identity, row.id)
            file, encoded = stem.with_name(row.id + ENDING), png(row)
            write_bytes(file, encoded)
            write_sidecars(stem, row, sidecars)
            return {"file_name": file.relative_to(self.root / place.split).as_posix(), **facts(row, encoded)}

        return write_table(self.shard(place), map(record, rows), metadata_features(), image=False)

    def close(self, spec: DatasetSpec) -> list[tuple[str, Path]]:
        listed = []
        for split in spec.splits:
            parts = [self.shard(place) for place in spec.places if place.split == split]
            merge_tables(self.root / split / METADATA, parts, metadata_features())
            listed.append((split, self.root / split / METADATA))
        return listed

    def columns(self, file: Path, names: Sequence[str]) -> "pa.Table":
        return read_columns(file, names)

    def rows(self, file: Path, sidecars: tuple[str, ...] = ()) -> Iterator[Stored]:
        split = file.parent.name if file.name == METADATA else split_of(file.stem)
        beside = Sidecars(self.root, sidecars)
        for row in read_rows(file):
            encoded = content(self.root / split / row.pop("file_name")) or b""
            yield Stored(row, encoded, beside.read(split, row["identity"], row["id"]))

    def size(self, file: Path) -> int:
        return sum(image.stat().st_size for image in file.parent.rglob(f"*{ENDING}"))

    def data_files(self, split: str) -> list[str]:
        return [f"{split}/**/*{ENDING}", f"{split}/{METADATA}"]

    def units(self, sidecars: tuple[str, ...]) -> tuple[Unit, ...] | None:
        tables = tables_of(self.root)
        if not tables:
            return None
        beside = expected(self.root, sidecars)
        return tuple(unit for table in tables for unit in metadata_units(table, self.root, beside))
