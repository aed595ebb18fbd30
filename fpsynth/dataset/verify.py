"""Is a dataset still what was written? Every file against the manifest, every image and sidecar against its row."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fpsynth.dataset import manifest
from fpsynth.dataset.formats import Format, open_format
from fpsynth.dataset.stored import fault
from fpsynth.errors import UserError


class Damage(NamedTuple):
    """file: below the dataset's folder; what: is wrong with it."""

    file: str
    what: str


def damages(root: Path) -> Iterator[Damage | None]:
    """One answer for each file that the manifest lists; None: it is whole.

    Raises UserError where there is no dataset of ours, or one that is not finished.
    """
    told = manifest.read(root)
    if told is None:
        raise UserError(f"{root} holds no dataset of fpsynth")
    if not told.get("complete"):
        raise UserError(f"{root} is not finished: the command that made it goes on where it was cut off")
    form, sidecars = open_format(told["format"], root), tuple(told["sidecars"])
    for record in manifest.shard_records(told):
        what = _file_fault(root / record.file, record) or shard_fault(form, root / record.file, sidecars)
        yield Damage(record.file, what) if what else None


def shard_fault(form: Format, file: Path, sidecars: tuple[str, ...] | None) -> str | None:
    """What is wrong with a shard or listed file; None: nothing. sidecars None: whether it can be read is enough."""
    import pyarrow as pa

    try:
        if sidecars is None:
            form.columns(file, ("id",))
            return None
        return next(filter(None, map(fault, form.rows(file, sidecars))), None)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        return f"cannot be read: {' '.join(str(error).split())[:120]}"


def _file_fault(path: Path, record: manifest.ShardRecord) -> str | None:
    if not path.is_file():
        return "is not there"
    if (size := path.stat().st_size) != record.bytes:
        return f"{size} bytes, where {record.bytes} were written"
    return None if manifest.digest(path) == record.sha256 else "is not what was written (its digest differs)"
