"""Parquet shards with the images in them: data/SPLIT-00000-of-00010.parquet, sidecars in minutiae/."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpsynth.dataset.formats.protocol import Format
from fpsynth.dataset.reader.disk import files_below
from fpsynth.dataset.reader.parquet import has_images, parquet_units
from fpsynth.dataset.reader.sidecars import Sidecars, expected
from fpsynth.dataset.reader.unit import Unit
from fpsynth.dataset.row import Row, facts, features, png
from fpsynth.dataset.sidecar import write_sidecars
from fpsynth.dataset.spec import DatasetSpec, ShardPlace, image_stem, split_of
from fpsynth.dataset.stored import Stored
from fpsynth.dataset.table import read_columns, read_rows, write_table

if TYPE_CHECKING:
    import pyarrow as pa

ENDING = ".parquet"


class Layout(Format):
    """Shards that `datasets` reads as they are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.minutiae = root / "minutiae"

    def shard(self, place: ShardPlace) -> Path:
        return self.root / "data" / f"{place.stem}{ENDING}"

    def write(self, place: ShardPlace, rows: Iterable[Row], sidecars: tuple[str, ...]) -> int:
        def record(row: Row) -> dict[str, Any]:
            write_sidecars(image_stem(self.minutiae, place.split, row.identity, row.id), row, sidecars)
            encoded = png(row)
            return {"image": {"bytes": encoded, "path": f"{row.id}.png"}, **facts(row, encoded)}

        return write_table(self.shard(place), map(record, rows), features(), image=True)

    def close(self, spec: DatasetSpec) -> list[tuple[str, Path]]:
        return [(place.split, self.shard(place)) for place in spec.places]

    def columns(self, file: Path, names: Sequence[str]) -> "pa.Table":
        return read_columns(file, names)

    def rows(self, file: Path, sidecars: tuple[str, ...] = ()) -> Iterator[Stored]:
        beside = Sidecars(self.minutiae, sidecars)
        for row in read_rows(file):
            encoded = row.pop("image")["bytes"]
            yield Stored(row, encoded, beside.read(split_of(file.stem), row["identity"], row["id"]))

    def size(self, file: Path) -> int:
        return file.stat().st_size

    def data_files(self, split: str) -> str:
        return f"data/{split}-*{ENDING}"

    def units(self, sidecars: tuple[str, ...]) -> tuple[Unit, ...] | None:
        shards = [file for file in files_below(self.root, (ENDING,)) if has_images(file)]
        if not shards:
            return None
        beside = expected(self.minutiae, sidecars)
        return tuple(unit for file in shards for unit in parquet_units(file, self.root, beside))
