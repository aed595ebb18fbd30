"""A dataset folder while it is made: which shards are missing, writing one, closing it when all are there."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from fpsynth.dataset import manifest
from fpsynth.dataset.card import Tally, card
from fpsynth.dataset.manifest import ShardRecord
from fpsynth.dataset.row import Row, metadata_features
from fpsynth.dataset.shard import ROW_GROUP, parquet_writer, write_parquet_shard, write_png_shard
from fpsynth.dataset.spec import PARTS, RESERVED, DatasetSpec, is_split_name, shard_path
from fpsynth.errors import UserError
from fpsynth.files import leftovers, replacing, write_bytes
from fpsynth.slots import SLOTS


class DatasetWriter:
    """Writes the dataset of spec under root. Making one touches nothing, so every worker may have its own."""

    def __init__(self, root: Path, spec: DatasetSpec) -> None:
        self.root = root
        self.spec = spec

    def prepare(self, overwrite: bool = False) -> None:
        """Create the folder, or make sure that it holds the beginning of this very dataset.

        Raises UserError where it holds something else; with overwrite, another dataset of ours is removed first.
        """
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"{self.root} is a file; a folder is needed")
        found = manifest.read(self.root)
        if found is None and self.root.exists() and any(self.root.iterdir()):
            raise UserError(f"{self.root} is not empty and holds no dataset of fpsynth; choose another folder")
        if found is not None and overwrite:
            self._remove(found.get("splits", ()))
        elif found is not None:
            manifest.require_same(self.root, found, self.spec)
            return
        self.root.mkdir(parents=True, exist_ok=True)
        manifest.write(self.root, self.spec, None)

    def path(self, index: int) -> Path:
        """The file whose existence says that this shard is whole."""
        return shard_path(self.root, self.spec, self.spec.places[index])

    def split(self, index: int) -> str:
        """The split that this shard belongs to."""
        return self.spec.places[index].split

    def missing(self, shards: Sequence[int] | None = None) -> list[int]:
        """Those of these shards (all by default) that are still to be written."""
        wanted = range(len(self.spec.places)) if shards is None else shards
        if self.spec.format == "png" and self._closed():
            return []
        return [index for index in wanted if not self.path(index).exists()]

    def write(self, index: int, rows: Iterable[Row]) -> int:
        """Write a shard, whole or not at all. Rows are streamed. Returns their number."""
        split = self.split(index)
        if self.spec.format == "png":
            return write_png_shard(self.path(index), rows, self.spec.sidecars, self.root / split)
        return write_parquet_shard(self.path(index), rows, self.spec.sidecars, self.root / "minutiae" / split)

    def finish(self) -> bool:
        """Close the dataset: metadata, card, manifest with digests. False, nothing done, while shards are missing."""
        if self.missing():
            return False
        if not self._closed():
            tally = Tally()
            records = self._merge(tally) if self.spec.format == "png" else self._count(tally)
            write_bytes(self.root / "README.md", card(self.spec, tally).encode())
            manifest.write(self.root, self.spec, records)
        shutil.rmtree(self.root / PARTS, ignore_errors=True)
        for stale in list(leftovers(self.root)):
            stale.unlink(missing_ok=True)
        return True

    def _closed(self) -> bool:
        """Whether the manifest is whole and every file that it lists is there, in its size."""
        found = manifest.read(self.root)
        if found is None or not found.get("complete"):
            return False
        files = [(self.root / record.file, record.bytes) for record in manifest.shard_records(found)]
        return (self.root / "README.md").exists() and all(f.exists() and f.stat().st_size == size for f, size in files)

    def _count(self, tally: Tally) -> list[ShardRecord]:
        records = []
        for index in range(len(self.spec.places)):
            self._tally(tally, self.path(index), self.split(index))
            records.append(self._record(self.path(index), self.split(index)))
        return records

    def _merge(self, tally: Tally) -> list[ShardRecord]:
        """PNG mode: one metadata.parquet for each split from the parts of its shards."""
        import pyarrow.parquet as pq

        schema, records = metadata_features().arrow_schema, []
        for split in self.spec.splits:
            parts = [self.path(i) for i in range(len(self.spec.places)) if self.split(i) == split]
            target = self.root / split / "metadata.parquet"
            with replacing(target) as temporary, parquet_writer(temporary, schema, image=False) as writer:
                for part in parts:
                    for group in pq.ParquetFile(part).iter_batches(batch_size=ROW_GROUP):
                        writer.write_batch(group)
            self._tally(tally, target, split)
            records.append(self._record(target, split))
        return records

    def _tally(self, tally: Tally, path: Path, split: str) -> None:
        import pyarrow.parquet as pq

        files = (path,) if self.spec.format == "parquet" else (self.root / split).rglob("*.png")
        size = sum(file.stat().st_size for file in files)
        tally.add(split, pq.read_table(path, columns=["identity", *SLOTS]), size)

    def _record(self, path: Path, split: str) -> ShardRecord:
        import pyarrow.parquet as pq

        rows = pq.read_metadata(path).num_rows
        name = path.relative_to(self.root).as_posix()
        return ShardRecord(name, split, rows, path.stat().st_size, manifest.digest(path))

    def _remove(self, splits: Iterable[str]) -> None:
        """Remove what a dataset of ours with these splits put under root, and nothing else."""
        for folder in (*RESERVED, PARTS, *filter(is_split_name, splits)):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        for name in ("README.md", manifest.NAME):
            (self.root / name).unlink(missing_ok=True)
