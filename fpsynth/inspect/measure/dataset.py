"""A whole dataset: read everything once, measure, compare, and say what is broken."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from fpsynth.dataset import manifest as manifests
from fpsynth.dataset.reader.source import Source, open_source
from fpsynth.errors import DamagedFile, UserError
from fpsynth.extractor import Extractor, chosen, mindtct
from fpsynth.files import cache_folder
from fpsynth.inspect.measure import integrity
from fpsynth.inspect.measure.asked import asked_shares, recipe_of
from fpsynth.inspect.measure.breakdown import WordFigures, breakdown
from fpsynth.inspect.measure.comparisons import Comparer, MatchFigures, Matching, match, match_prints
from fpsynth.inspect.measure.fault import Fault
from fpsynth.inspect.measure.figures import (
    Counts,
    GateFigures,
    ImageFigures,
    JudgeFigures,
    TruthFigures,
    count_figures,
    gate_figures,
    image_figures,
    judge_figures,
    truth_figures,
)
from fpsynth.inspect.measure.identity import IdentityFigures, identity_figures
from fpsynth.inspect.measure.matching import Scores
from fpsynth.inspect.measure.privacy import Privacy, privacy
from fpsynth.inspect.measure.reading import ReadingFigures, reading_figures
from fpsynth.inspect.measure.realism import Realism, realism
from fpsynth.inspect.measure.record import Record
from fpsynth.inspect.measure.scan import Progress, Scan, Task, scan_all
from fpsynth.inspect.measure.shares import ColumnShares, share_figures, word_counts

OWN = "minutiae are found by fpsynth's own extractor, and NFIQ2 and bozorth3 are left out"
SYSTEMATIC = 0.5
"""Share of the judged images with the same error in their truth that makes it an error of the dataset."""


@dataclass(frozen=True)
class Depth:
    """How to look: judges (None: where installed, else fpsynth's own extractor; False: none of these), images in depth,
    ppi of plain folders, processes, cache."""

    judges: bool | None = None
    limit: int = 2000
    ppi: float = 500
    workers: int | None = None
    cache: bool = True


@dataclass(frozen=True, kw_only=True)
class DatasetFigures:
    """All figures of a dataset. None: there is nothing to tell, or nobody asked.

    form: its file format; ours: made by fpsynth; bozorth3 and embedding: how well each tells the fingers apart;
    reading: what the words of the slots are by the looks of the images.
    identity: how unique, consistent and diverse these are. words: some of these figures by slot and word.
    """

    form: str
    ours: bool
    counts: Counts
    shares: Mapping[str, ColumnShares]
    image: ImageFigures
    minutiae: TruthFigures | None
    gate: GateFigures | None
    judges: JudgeFigures | None
    bozorth3: MatchFigures | None
    embedding: MatchFigures | None
    reading: ReadingFigures | None
    words: Mapping[str, Mapping[str, WordFigures]]
    identity: IdentityFigures | None = None
    realism: Realism | None = None
    privacy: Privacy | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The figures of a dataset, the records they come from, the scores, what is broken and what is worth knowing.

    judged: scores are bozorth3's; else they are the embedding's.
    """

    path: Path
    source: Source
    recipe: Mapping[str, Any]
    figures: DatasetFigures
    records: list[Record]
    scores: Scores | None
    judged: bool
    faults: list[Fault]
    notices: list[str] = field(default_factory=list)


def measure_dataset(path: Path, depth: Depth, progress: Progress | None = None) -> Measured:
    """Measure the dataset in path. Raises UserError where there is none, or where judges are asked for and missing."""
    manifest, faults, notices = _manifest(path)
    extractor = _extractor(depth, notices)
    source = open_source(path, manifest)
    scans = _scan(source, depth, extractor, progress)
    records = [record for scan in scans for record in scan.records]
    for scan in scans:
        faults.extend(scan.faults)
    recipe = recipe_of(manifest)
    shares = share_figures(word_counts(records), asked_shares(recipe, records))
    faults.extend(_whole(source, manifest, scans, records, shares))
    faults.extend(_wrong_truth(records))
    own, judged = match_prints(records), extractor == "mindtct"
    by_bozorth3 = match(records, comparer(depth, progress)) if judged else None
    matching = by_bozorth3 if judged else own
    if matching is not None:
        faults.extend(matching.faults)
        notices.extend(matching.notices)
    found = _figures(source, records, shares, by_bozorth3, own)
    scores = matching.scores if matching is not None else None
    return Measured(
        path=path,
        source=source,
        recipe=recipe,
        figures=found,
        records=records,
        scores=scores,
        judged=judged,
        faults=faults,
        notices=notices,
    )


def against_reference(measured: Measured, path: Path, depth: Depth, progress: Progress | None) -> Measured:
    """The same with figures against a dataset of real images. Raises UserError where they cannot be compared."""
    told = realism(measured.records, scan_dataset(path, depth, progress))
    return replace(measured, figures=replace(measured.figures, realism=told))


def against_training(measured: Measured, path: Path, depth: Depth, progress: Progress | None) -> Measured:
    """The same with figures against a dataset of training images. Raises UserError where they cannot be compared."""
    judge = comparer(depth, progress) if measured.judged else None
    told = privacy(measured.records, scan_dataset(path, depth, progress), measured.scores, judge)
    return replace(measured, figures=replace(measured.figures, privacy=told))


def scan_dataset(path: Path, depth: Depth, progress: Progress | None = None) -> list[Record]:
    """Only the records of a dataset. Raises UserError as measure_dataset does."""
    scans = _scan(source_at(path), depth, _extractor(depth, []), progress)
    return [record for scan in scans for record in scan.records]


def source_at(path: Path) -> Source:
    """The images at path, of which none is read yet. Raises UserError where there are none."""
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    source = open_source(path, None)
    if not _total(source):
        raise UserError(f"{path}: no images that can be read are there")
    return source


def comparer(depth: Depth, progress: Progress | None) -> Comparer:
    """What compares templates, as deep and as parallel as asked."""
    return Comparer(_workers(depth), progress, _cache(depth))


def _workers(depth: Depth) -> int:
    return depth.workers or os.cpu_count() or 1


def _cache(depth: Depth) -> Path | None:
    return cache_folder("inspect") if depth.cache else None


def _manifest(path: Path) -> tuple[dict[str, Any] | None, list[Fault], list[str]]:
    try:
        manifest = manifests.read(path) if path.is_dir() else None
    except DamagedFile as error:
        return None, [Fault("damaged file", manifests.NAME, str(error))], []
    if manifest is not None and not manifest.get("complete"):
        return manifest, [], ["the dataset is not finished: run the command that makes it again"]
    return manifest, [], []


def _extractor(depth: Depth, notices: list[str]) -> Extractor | None:
    """NIST's where it is installed, else our own with a notice; None where no judges are wanted."""
    if depth.judges is False:
        return None
    if depth.judges and (reason := mindtct.missing()):
        raise UserError(f"judges are asked for, but cannot be loaded ({reason}): {mindtct.REMEDY} bring them")
    extractor = chosen()
    if extractor != "mindtct":
        notices.append(f"NIST's tools cannot be loaded ({mindtct.missing()}): {OWN}")
    return extractor


def _scan(source: Source, depth: Depth, extractor: Extractor | None, progress: Progress | None) -> list[Scan]:
    """One look at everything where that is little; else a light one, and one in depth at whole identities."""
    cache, workers = _cache(depth), _workers(depth)

    def tasks(samples: Mapping[int, frozenset[int]] | None) -> list[Task]:
        return [
            Task(
                index=i,
                unit=unit,
                sample=None if samples is None else samples.get(i, frozenset()),
                extractor=extractor,
                ppi=depth.ppi,
                cache=cache,
            )
            for i, unit in enumerate(source.units)
        ]

    if _total(source) <= depth.limit:
        return scan_all(tasks(None), workers, progress)
    light = scan_all(tasks({}), workers, progress)
    samples = _sample([record for scan in light for record in scan.records], depth.limit)
    deep = iter(scan_all([task for task in tasks(samples) if task.sample], workers, progress))
    return [next(deep) if index in samples else scan for index, scan in enumerate(light)]


def _total(source: Source) -> int:
    total = 0
    for unit in source.units:
        try:
            total += unit.count()
        except (OSError, ValueError, pa.ArrowException):
            continue
    return total


def _sample(records: Sequence[Record], limit: int) -> dict[int, frozenset[int]]:
    """Image numbers by unit: identities evenly over the dataset, whole but for very large ones, up to the limit."""
    sizes = Counter(record.identity for record in records)
    names = list(sizes)
    count = max(2, limit * len(names) // max(len(records), 1))
    count = min(count, len(names))
    room = dict.fromkeys((names[i * len(names) // count] for i in range(count)), max(2, 2 * limit // count))
    samples: dict[int, set[int]] = defaultdict(set)
    for record in records:
        if room.get(record.identity, 0):
            room[record.identity] -= 1
            samples[record.unit].add(record.number)
    return {unit: frozenset(numbers) for unit, numbers in samples.items()}


def _whole(
    source: Source,
    manifest: Mapping[str, Any] | None,
    scans: Sequence[Scan],
    records: Sequence[Record],
    shares: Mapping[str, ColumnShares],
) -> Iterator[Fault]:
    yield from integrity.check_copies(records)
    yield from integrity.check_splits(records)
    if not source.ours or manifest is None:
        return
    if manifest.get("complete"):
        listed = manifests.shard_records(dict(manifest))
        names = _file_digests(source, scans)
        rows: Counter[str] = Counter()
        for unit, scan in zip(source.units, scans, strict=True):
            if scan.digest is not None:
                rows[unit.name] += unit.count()
        yield from integrity.check_files(source.root, listed, names)
        yield from integrity.check_rows(listed, rows)
        if not any(scan.digest is None for scan in scans):
            yield from integrity.check_labels(records)
    yield from integrity.check_words(records)
    yield from integrity.check_shares(shares)


def _file_digests(source: Source, scans: Sequence[Scan]) -> dict[str, str | None]:
    """The digest of every file that was read as a whole; None where it was read in parts, or could not be."""
    digests: dict[str, str | None] = {}
    for unit, scan in zip(source.units, scans, strict=True):
        digests[unit.name] = scan.digest if unit.whole else None
    return digests


def _figures(
    source: Source,
    records: Sequence[Record],
    shares: Mapping[str, ColumnShares],
    bozorth3: Matching | None,
    embedding: Matching | None,
) -> DatasetFigures:
    return DatasetFigures(
        form=source.form,
        ours=source.ours,
        counts=count_figures(records),
        shares=shares,
        image=image_figures(records),
        minutiae=truth_figures(records),
        gate=gate_figures(records),
        judges=judge_figures(records),
        bozorth3=bozorth3.figures if bozorth3 else None,
        embedding=embedding.figures if embedding else None,
        reading=reading_figures(records),
        words=_by_word(records, bozorth3, embedding),
        identity=identity_figures(records, bozorth3.scores if bozorth3 else None),
    )


def _by_word(
    records: Sequence[Record], bozorth3: Matching | None, embedding: Matching | None
) -> Mapping[str, Mapping[str, WordFigures]]:
    """By bozorth3's scores where there are any, else by the embedding's."""
    if bozorth3 is not None:
        return breakdown(records, [r for r in records if r.judged is not None], bozorth3.scores)
    return breakdown(records, [r for r in records if r.print is not None], embedding.scores if embedding else None)


def _wrong_truth(records: Sequence[Record]) -> list[Fault]:
    """Images whose truth is turned, mirrored or shifted; one fault where most of the dataset is."""
    told = [r for r in records if r.judged is not None and r.judged.tally is not None]
    wrong = [(r, r.judged.wrong) for r in told if r.judged is not None and r.judged.wrong is not None]
    kinds = Counter(text.split(" by ")[0] for _, text in wrong)
    faults = []
    for kind, count in kinds.items():
        if count >= SYSTEMATIC * len(told):
            faults.append(Fault("truth", "minutiae", f"{kind}, in {count} of {len(told)} images"))
    systematic = {kind for kind, count in kinds.items() if count >= SYSTEMATIC * len(told)}
    faults.extend(Fault("truth", r.name, text) for r, text in wrong if text.split(" by ")[0] not in systematic)
    return faults
