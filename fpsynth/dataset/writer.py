"""A dataset folder while it is made: which shards are missing, writing one, closing it when all are there."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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
from fpsynth.files import LOCK, Busy, alone, is_leftover, is_lock, leftovers, write_bytes
from fpsynth.slots import SLOTS

if TYPE_CHECKING:
    import pyarrow as pa

CARD = ("README.md", PICTURE)
CLOSING = Part(0, 0)
"""Whose lock a part holds while it closes the dataset, beside its own."""


class DatasetWriter:
    """Writes the dataset of spec under root. Making one touches nothing, so every worker may have its own."""

    def __init__(self, root: Path, spec: DatasetSpec) -> None:
        self.root = root
        self.spec = spec
        self.format = open_format(spec.format, root)
        self._in_part = False

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
            self._discard(verify)
            return
        self.root.mkdir(parents=True, exist_ok=True)
        manifest.write(self.root, self.spec, None)

    @contextmanager
    def alone(self, part: Part | None = None) -> Iterator[None]:
        """Nobody else of ours writes meanwhile; for a part, none but other parts; inside that, nobody else closes.

        Raises Busy where one does, UserError as prepare.
        """
        self._found()
        closing, self._in_part = self._in_part, part is not None
        try:
            with alone(self.root, _lock(CLOSING if closing else part)):
                for rival in () if closing else self._rivals(part):
                    _require_free(rival)
                yield
        finally:
            self._in_part = closing

    def _rivals(self, part: Part | None) -> list[Path]:
        """The locks that are there and that a part, or a whole run, does not bear beside its own."""
        return [path for path in self.root.iterdir() if is_lock(path) and (path.name == LOCK) == (part is not None)]

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
        return self._lost() or bool(self.missing()) or any(True for _ in self._damaged(verify=False))

    def _damaged(self, verify: bool) -> Iterator[Path]:
        """Files that are there and are not what was written: whatever befell them, they are to be made again.

        A listed file is held against the manifest: in its size, and in its digest too to verify, or where another is
        lost, since closing again would take any digest.
        """
        listed, lost = self._listed(), self._lost()
        for path in filter(Path.exists, listed if self._closed() else {**listed, **dict.fromkeys(self._shards())}):
            record = listed.get(path)
            changed = record and _changed(path, record, digest=verify or lost)
            read = verify or not record
            if changed or (read and shard_fault(self.format, path, self.spec.sidecars if verify else None)):
                yield path

    def _discard(self, verify: bool) -> None:
        """Remove shards that are damaged; of a whole dataset that lost any file, the manifest no longer says so."""
        damaged = set(self._damaged(verify))
        for path in damaged.intersection(self._shards()):
            path.unlink(missing_ok=True)
        if self._listed() and (damaged or self._lost()):
            manifest.write(self.root, self.spec, None)

    def _shards(self) -> list[Path]:
        return [self.path(index) for index in range(len(self.spec.places))]

    def write(self, index: int, rows: Iterable[Row]) -> int:
        """Write a shard, whole or not at all. Rows are streamed. Returns their number."""
        return self.format.write(self.spec.places[index], rows, self.spec.sidecars)

    def finish(self) -> bool:
        """Close the dataset: metadata, card, manifest with digests. False, nothing done, while shards are missing."""
        if self.missing():
            return False
        if not self._closed():
            self._close()
        elif not all((self.root / name).exists() for name in CARD):
            self._describe([(record.split, file) for file, record in self._listed().items()])
        shutil.rmtree(self.root / PARTS, ignore_errors=True)
        for stale in (path for path in list(leftovers(self.root)) if not is_lock(path)):
            stale.unlink(missing_ok=True)
        return True

    def columns(self, *names: str) -> Iterator["pa.Table"]:
        """These columns of the closed dataset, file by file."""
        return (self.format.columns(file, names) for file in self._listed())

    def size(self) -> int:
        """Bytes of the images of the closed dataset."""
        return sum(map(self.format.size, self._listed()))

    def _listed(self) -> dict[Path, ShardRecord]:
        """The files that a whole dataset's manifest lists; none of one that is not whole."""
        found = manifest.read(self.root) or {}
        records = manifest.shard_records(found) if found.get("complete") else []
        return {self.root / record.file: record for record in records}

    def _closed(self) -> bool:
        """Whether the manifest is whole and every file that it lists is there, in its size."""
        return bool(self._listed()) and not self._lost()

    def _lost(self) -> bool:
        """Whether any file that a whole dataset's manifest lists is not there in its size."""
        return any(not file.exists() or _changed(file, record) for file, record in self._listed().items())

    def _close(self) -> None:
        files = self.format.close(self.spec)
        rows = self._describe(files)
        records = [self._record(split, file, count) for (split, file), count in zip(files, rows, strict=True)]
        manifest.write(self.root, self.spec, records)

    def _describe(self, files: Sequence[tuple[str, Path]]) -> list[int]:
        """Write the card and its picture. Returns the rows of each file."""
        tally, rows = Tally(), []
        for split, file in files:
            table = self.format.columns(file, ("identity", "gate", *SLOTS))
            tally.add(split, table, self.format.size(file))
            rows.append(table.num_rows)
        write_bytes(self.root / PICTURE, picture(self.format, files[0][1]))
        write_bytes(self.root / "README.md", card(self.spec, tally, self.format).encode())
        return rows

    def _record(self, split: str, file: Path, rows: int) -> ShardRecord:
        name = file.relative_to(self.root).as_posix()
        return ShardRecord(file=name, split=split, rows=rows, bytes=file.stat().st_size, sha256=manifest.digest(file))


def _changed(path: Path, record: ShardRecord, digest: bool = False) -> bool:
    """Whether a file has another size than the manifest says, or another digest."""
    return path.stat().st_size != record.bytes or (digest and manifest.digest(path) != record.sha256)


def _lock(part: Part | None) -> str:
    return LOCK if part is None else f".fpsynth-{part.number}-of-{part.of}.lock"


def _require_free(lock: Path) -> None:
    """Raises Busy where a process that lives holds a lock; the lock of a dead one is taken away."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock, timeout=1):  # not at once: another that starts now may be looking too
            lock.unlink(missing_ok=True)
    except Timeout:
        raise Busy(f"{lock.parent}: another run is at work there; let it end, or choose another folder") from None
