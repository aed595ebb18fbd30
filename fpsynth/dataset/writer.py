"""A dataset folder while it is made: which shards are missing, writing one, closing it when all are there."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpsynth.dataset import manifest
from fpsynth.dataset.card import PICTURE, Tally, card, picture
from fpsynth.dataset.formats import open_format
from fpsynth.dataset.manifest import ShardRecord
from fpsynth.dataset.owned import remove
from fpsynth.dataset.row import Row
from fpsynth.dataset.spec import PARTS, DatasetSpec, Part
from fpsynth.dataset.verify import shard_fault
from fpsynth.errors import UserError
from fpsynth.files import LOCK, alone, is_leftover, is_lock, leftovers, write_bytes
from fpsynth.slots import SLOTS

if TYPE_CHECKING:
    import pyarrow as pa


class DatasetWriter:
    """Writes the dataset of spec under root. Making one touches nothing, so every worker may have its own."""

    def __init__(self, root: Path, spec: DatasetSpec) -> None:
        self.root = root
        self.spec = spec
        self.format = open_format(spec.format, root)

    def prepare(self, overwrite: bool = False, verify: bool = False) -> None:
        """Create the folder, or make sure that it holds the beginning of this very dataset.

        Raises UserError where it holds something else; with overwrite, another dataset of ours is removed first. What
        is damaged is removed, so that it is missing; verify: after a reading of every image and sidecar.
        """
        found = self._found()
        if found is not None and overwrite:
            remove(self.root, found.get("splits", ()))
        elif found is not None:
            manifest.require_same(self.root, found, self.spec)
            for path in list(self._damaged(verify)):
                path.unlink()
            return
        self.root.mkdir(parents=True, exist_ok=True)
        manifest.write(self.root, self.spec, None)

    def alone(self, part: Part | None = None) -> AbstractContextManager[None]:
        """Nobody else of ours writes meanwhile, or does this part. Raises Busy where one does, UserError as prepare."""
        self._found()
        return alone(self.root, LOCK if part is None else f".fpsynth-{part.number}-of-{part.of}.lock")

    def _found(self) -> dict[str, Any] | None:
        """The manifest that is there. Raises UserError where there is something else."""
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"{self.root} is a file; a folder is needed")
        found = manifest.read(self.root)
        if found is None and self.root.exists() and not all(map(is_leftover, self.root.iterdir())):
            raise UserError(f"{self.root} is not empty and holds no dataset of fpsynth; choose another folder")
        return found

    def path(self, index: int) -> Path:
        """The file whose existence says that this shard is whole."""
        return self.format.shard(self.spec.places[index])

    def missing(self, shards: Sequence[int] | None = None) -> list[int]:
        """Those of these shards (all by default) that are still to be written."""
        wanted = range(len(self.spec.places)) if shards is None else shards
        if self._closed():
            return []
        return [index for index in wanted if not self.path(index).exists()]

    def any_missing(self, overwrite: bool = False) -> bool:
        """Whether there will be something to write. Touches nothing; UserError in the folder of another dataset."""
        found = None if overwrite else manifest.read(self.root)
        if found is None:
            return True
        manifest.require_same(self.root, found, self.spec)
        return bool(self.missing()) or any(True for _ in self._damaged(verify=False))

    def _damaged(self, verify: bool) -> Iterator[Path]:
        """Files that are there and are not what was written: whatever befell them, they are to be made again."""
        if self._closed():
            listed = manifest.shard_records(manifest.read(self.root) or {}) if verify else []
            paths = [self.root / record.file for record in listed]
        else:
            paths = [self.path(index) for index in range(len(self.spec.places))]
        for path in filter(Path.exists, paths):
            if shard_fault(self.format, path, self.spec.sidecars if verify else None):
                yield path

    def write(self, index: int, rows: Iterable[Row]) -> int:
        """Write a shard, whole or not at all. Rows are streamed. Returns their number."""
        return self.format.write(self.spec.places[index], rows, self.spec.sidecars)

    def finish(self) -> bool:
        """Close the dataset: metadata, card, manifest with digests. False, nothing done, while shards are missing."""
        if self.missing():
            return False
        if not self._closed():
            self._close()
        shutil.rmtree(self.root / PARTS, ignore_errors=True)
        for stale in (path for path in list(leftovers(self.root)) if not is_lock(path)):
            stale.unlink(missing_ok=True)
        return True

    def columns(self, *names: str) -> Iterator["pa.Table"]:
        """These columns of the closed dataset, file by file."""
        for record in manifest.shard_records(manifest.read(self.root) or {}):
            yield self.format.columns(self.root / record.file, names)

    def size(self) -> int:
        """Bytes of the images of the closed dataset."""
        return sum(self.format.size(self.root / r.file) for r in manifest.shard_records(manifest.read(self.root) or {}))

    def _closed(self) -> bool:
        """Whether the manifest is whole and every file that it lists is there, in its size."""
        found = manifest.read(self.root)
        if found is None or not found.get("complete"):
            return False
        files = [(self.root / record.file, record.bytes) for record in manifest.shard_records(found)]
        return (self.root / "README.md").exists() and all(f.exists() and f.stat().st_size == size for f, size in files)

    def _close(self) -> None:
        tally, records = Tally(), []
        files = self.format.close(self.spec)
        for split, file in files:
            table = self.format.columns(file, ("identity", "gate", *SLOTS))
            tally.add(split, table, self.format.size(file))
            records.append(self._record(split, file, table.num_rows))
        write_bytes(self.root / PICTURE, picture(self.format, files[0][1]))
        write_bytes(self.root / "README.md", card(self.spec, tally, self.format).encode())
        manifest.write(self.root, self.spec, records)

    def _record(self, split: str, file: Path, rows: int) -> ShardRecord:
        name = file.relative_to(self.root).as_posix()
        return ShardRecord(file=name, split=split, rows=rows, bytes=file.stat().st_size, sha256=manifest.digest(file))
