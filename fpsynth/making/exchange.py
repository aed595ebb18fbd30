"""A finished dataset looked over, and written again as other files."""

import io
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from PIL import Image

from fpsynth.console import Console, Table
from fpsynth.dataset import DatasetSpec, DatasetWriter, Row, manifest
from fpsynth.dataset.formats import Format, open_format
from fpsynth.dataset.row import png
from fpsynth.dataset.sidecar import write_sidecars
from fpsynth.dataset.spec import image_stem
from fpsynth.dataset.stored import row_of
from fpsynth.dataset.verify import damages
from fpsynth.errors import UserError
from fpsynth.files import write_bytes
from fpsynth.remote import delivered, fetched, shown
from fpsynth.vocabulary import EXPORTS, FORMATS, FVC, WSQ


def verify_dataset(root: Path, console: Console) -> bool:
    """Read all of a dataset (or at an address in a store) and say what is damaged. False where anything is.

    Raises UserError for no dataset.
    """
    found, seen = [], 0
    with fetched(root) as here:
        total = len(manifest.shard_records(manifest.read(here) or {"shards": []}))
        with console.progress(total, "files") as progress:
            for damage in damages(here):
                progress.tick()
                seen += 1
                if damage:
                    found.append(damage)
    rows = [(damage.file, damage.what) for damage in found] or [("files", f"{seen}, all as they were written")]
    facts = {"path": shown(root), "files": seen, "damaged": [damage._asdict() for damage in found]}
    console.result(facts, Table(shown(root), rows), brief="\n".join(damage.file for damage in found))
    return not found


def export_dataset(root: Path, to: str, out: Path, console: Console) -> None:
    """Write the dataset in root as other files into a new folder; see vocabulary.EXPORTS.

    Either may be an address in a store. Raises UserError for no finished dataset, a folder that is not new, and what is
    no format. DamagedFile, naming the file, where the dataset cannot be read.
    """
    if to not in EXPORTS:
        raise UserError(f"--to {to}: one of {', '.join(EXPORTS)}")
    with fetched(root) as source, delivered(out) as target:
        images = _exported(source, to, target, console)
    facts = {"output": shown(out), "images": images, "format": to}
    console.result(facts, Table(shown(out), [("images", f"{images}"), ("format", to)]), brief=shown(out))


def _exported(root: Path, to: str, out: Path, console: Console) -> int:
    """From a folder to a folder; returns the number of images."""
    told = manifest.read(root)
    if told is None or not told.get("complete"):
        raise UserError(f"{root} holds no finished dataset of fpsynth")
    images = sum(record.rows for record in manifest.shard_records(told))
    with console.progress(images, "images") as progress:
        source = _Source(root, told, progress.tick)
        if to in FORMATS:
            _as_dataset(source, to, out)
        else:
            _as_files(source, to, out)
    return images


class _Source:
    """The rows of a dataset, split by split."""

    def __init__(self, root: Path, told: Mapping[str, Any], tick: Callable[[int], None]) -> None:
        self.told, self.tick, self.root = told, tick, root
        self.form: Format = open_format(told["format"], root)

    def count(self, split: str) -> int:
        return sum(record.rows for record in manifest.shard_records(dict(self.told)) if record.split == split)

    def rows(self, split: str) -> Iterator[Row]:
        for record in manifest.shard_records(dict(self.told)):
            if record.split == split:
                for stored in self.form.rows(self.root / record.file):
                    yield row_of(stored)
                    self.tick(1)


def _as_dataset(source: _Source, form: str, out: Path) -> None:
    """In another format, in as many shards; taken up again where it was cut off."""
    told = source.told
    spec = DatasetSpec(
        name=told["name"],
        splits=told["splits"],
        format=form,
        sidecars=tuple(told["sidecars"]),
        provenance={**told["provenance"], "exported_from": told["format"]},
        recipe=told["recipe"],
    )
    writer = DatasetWriter(out, spec)
    with writer.alone():
        writer.prepare()
        missing = set(writer.missing())
        for index, rows in enumerate(_shares(source, spec)):
            if index in missing:
                writer.write(index, rows)
            else:
                deque(rows, maxlen=0)  # read past them
        writer.finish()


def _shares(source: _Source, spec: DatasetSpec) -> Iterator[Iterator[Row]]:
    """The rows of one shard after the other, in even shares."""
    for split, shards in spec.splits.items():
        rows, count = source.rows(split), source.count(split)
        for number in range(shards):
            yield islice(rows, count * (number + 1) // shards - count * number // shards)


def _as_files(source: _Source, to: str, out: Path) -> None:
    """Minutiae records, or images by the names that FVC's databases have; the folder is there when all are in it."""
    if out.exists():
        raise UserError(f"{out} is there already; choose a new folder")
    beside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    for split in source.told["splits"]:
        for row in source.rows(split):
            if to in ENCODERS:
                ending, encode = ENCODERS[to]
                write_bytes(beside / split / f"{row.identity + 1}_{row.impression + 1}{ending}", encode(row))
            else:
                write_sidecars(image_stem(beside, split, row.identity, row.id), row, (to,))
    beside.rename(out)


def _wsq(row: Row) -> bytes:
    """Wavelet scalar quantization at 0.75 bits a pixel (FBI, IAFIS-IC-0110), some 15 to 1."""
    try:
        import wsq  # noqa: F401 - Pillow learns the format by it
    except ImportError:
        raise UserError("--to wsq needs the extra: pip install 'fpsynth[wsq]'") from None
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png(row))).save(buffer, "WSQ")
    return buffer.getvalue()


ENCODERS: Final[Mapping[str, tuple[str, Callable[[Row], bytes]]]] = {FVC: (".png", png), WSQ: (".wsq", _wsq)}
"""Images alone: the ending of their names, and their bytes."""
