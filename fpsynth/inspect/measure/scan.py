"""Every image looked at once: in parallel, with bounded memory, and kept by the digest of what was read."""

import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from fpsynth.dataset.item import Item
from fpsynth.dataset.reader.unit import Unit
from fpsynth.embedding.bundled import bundled_digest
from fpsynth.extractor import Extractor
from fpsynth.files import write_bytes
from fpsynth.inspect.measure.check import check_item
from fpsynth.inspect.measure.fault import Fault, as_dict
from fpsynth.inspect.measure.image import decode, deep, light
from fpsynth.inspect.measure.judges import judge
from fpsynth.inspect.measure.likeness import describe
from fpsynth.inspect.measure.reading import known, read
from fpsynth.inspect.measure.record import Record, from_json, shared, to_json
from fpsynth.work import processes

VERSION = 6
"""Part of every cache key: raised when a figure is measured in another way."""
SMALL = 48
"""Up to so many images no processes are started."""

PPI = 50, 5000
"""The least and the most that a fingerprint may have."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A unit to look at. sample: the images to look at in depth, None for all of them; cache: where to keep it.

    extractor: who finds minutiae in the images of the sample; None: nobody.
    """

    index: int
    unit: Unit
    sample: frozenset[int] | None
    extractor: Extractor | None
    ppi: float
    cache: Path | None


@dataclass(frozen=True)
class Scan:
    """What was found in a unit; digest is None where it could not be read."""

    digest: str | None
    records: list[Record]
    faults: list[Fault]


def scan_all(tasks: Sequence[Task], workers: int, progress: Progress | None) -> list[Scan]:
    """Look at all units, in their order."""
    done = 0
    counts = [_count(task.unit) for task in tasks]
    total, scans = sum(counts), []
    with processes(1 if total <= SMALL else min(workers, len(tasks))) as mapper:
        for scan, count in zip(mapper(scan_unit, tasks), counts, strict=True):
            scans.append(scan)
            done += count
            if progress is not None:
                progress("images", done, total)
    return scans


def _count(unit: Unit) -> int:
    try:
        return unit.count()
    except (OSError, ValueError, pa.ArrowException):
        return 0


def scan_unit(task: Task) -> Scan:
    """Look at a unit, or take what is known of it. A unit that cannot be read is a fault, not an exception."""
    try:
        digest = task.unit.digest()
        kept = _load(task, digest)
        if kept is not None:
            return kept
        scan = _look(task, digest)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        return Scan(None, [], [Fault("damaged file", task.unit.name, f"cannot be read: {reason}")])
    _keep(task, scan)
    return scan


def _look(task: Task, digest: str) -> Scan:
    records: list[Record] = []
    faults: list[Fault] = []
    for number, item in enumerate(task.unit.read()):
        try:
            image = decode(item.encoded)
        except (OSError, ValueError, SyntaxError) as error:
            reason = "it is missing or empty" if not item.encoded else " ".join(str(error).split())[:120]
            faults.append(Fault("damaged image", item.name, f"cannot be read: {reason}"))
            continue
        record, more = _record(task, number, item, image)
        records.append(record)
        faults.extend(more)
    return Scan(digest, records, faults)


def _record(task: Task, number: int, item: Item, image: Any) -> tuple[Record, list[Fault]]:
    facts, (ppi, strange) = light(image), _resolution(item, task.ppi)
    chosen = (task.sample is None or number in task.sample) and not facts.blank
    record = Record(
        unit=task.index,
        number=number,
        name=item.name,
        identity=item.identity,
        impression=item.impression,
        ppi=ppi,
        **facts._asdict(),
        split=item.split,
        subject=item.subject,
        words=shared(item.words),
        truth=None if item.minutiae is None else len(item.minutiae),
        endings=None if item.minutiae is None else sum(m.kind == "ending" for m in item.minutiae),
        gate=item.gate and shared(item.gate),
        deep=deep(image, ppi) if chosen else None,
        print=describe(image, ppi) if chosen else None,
        read=read(image, ppi) if chosen else None,
        judged=judge(task.extractor, image, ppi, item.minutiae) if chosen and task.extractor else None,
    )
    return record, [*strange, *check_item(item, facts)]


def _resolution(item: Item, usual: float) -> tuple[float, list[Fault]]:
    """Pixels an inch, as the row says where that can be."""
    if item.ppi is None:
        return usual, []
    if isinstance(item.ppi, int | float) and PPI[0] <= item.ppi <= PPI[1]:
        return float(item.ppi), []
    return usual, [Fault("resolution", item.name, f"{item.ppi} pixels an inch; {usual:g} is taken")]


def _cached(task: Task, digest: str) -> Path | None:
    if task.cache is None:
        return None
    sample = None if task.sample is None else sorted(task.sample)
    facts = known()
    how = [VERSION, bundled_digest(), facts and facts.digest, sample, _key_of(task.extractor), task.ppi]
    key = json.dumps([digest, task.unit.name, task.unit.state, *how])
    return task.cache / f"{hashlib.sha256(key.encode()).hexdigest()}.json.z"


def _key_of(extractor: Extractor | None) -> str | None:
    """Its name, and the weights of our own one."""
    if extractor != "skeleton":
        return extractor
    from fpsynth.extractor.network import extractor_digest  # torch is loaded only where it is used

    return f"{extractor} {extractor_digest()}"


def _load(task: Task, digest: str) -> Scan | None:
    path = _cached(task, digest)
    if path is None or not path.exists():
        return None
    try:
        content = json.loads(zlib.decompress(path.read_bytes()))
        records = [from_json(record, task.index) for record in content["records"]]
        return Scan(digest, records, [Fault(**fault) for fault in content["faults"]])
    except (OSError, ValueError, KeyError, TypeError, zlib.error):
        return None


def _keep(task: Task, scan: Scan) -> None:
    """Keep what was found; a cache that cannot be written is no reason to stop."""
    path = _cached(task, scan.digest or "")
    if path is None:
        return
    content = {"records": [to_json(record) for record in scan.records], "faults": [as_dict(f) for f in scan.faults]}
    try:
        write_bytes(path, zlib.compress(json.dumps(content).encode(), 6))
    except OSError:
        return
