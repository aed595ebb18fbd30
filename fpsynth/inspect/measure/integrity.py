"""What can be wrong with a dataset as a whole: files, labels, copies, splits, shares."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from fpsynth.dataset.manifest import ShardRecord
from fpsynth.inspect.measure.fault import Fault
from fpsynth.inspect.measure.record import Record
from fpsynth.inspect.measure.shares import ColumnShares

UNLIKELY = 1e-4
"""Shares that are as far from the recipe's by chance are a fault."""
NAMED = 5
"""So many examples are named in one message."""


def check_files(root: Path, listed: Sequence[ShardRecord], digests: Mapping[str, str | None]) -> Iterator[Fault]:
    """Files against the manifest. digests: what was read, by name; None where reading failed."""
    from fpsynth.dataset.manifest import digest

    for record in listed:
        path = root / record.file
        if not path.exists():
            yield Fault("missing file", record.file, "the manifest lists it, it is not there")
            continue
        found = digests.get(record.file) or digest(path)
        if found != record.sha256:
            size = path.stat().st_size
            grown = "" if size == record.bytes else f"; {size} bytes, {record.bytes} expected"
            yield Fault("changed file", record.file, f"its digest is not the manifest's{grown}")
    names = {record.file for record in listed}
    for name in digests:
        if name not in names:
            yield Fault("extra file", name, "the manifest does not list it")


def check_rows(listed: Sequence[ShardRecord], rows: Mapping[str, int]) -> Iterator[Fault]:
    """Row counts of the files that could be read against the manifest."""
    for record in listed:
        if record.file in rows and rows[record.file] != record.rows:
            yield Fault("row count", record.file, f"{rows[record.file]} rows, the manifest says {record.rows}")


def check_labels(records: Sequence[Record]) -> Iterator[Fault]:
    """Our identities count from 0 without a gap, and so do the impressions of each."""
    impressions: dict[int, list[int]] = defaultdict(list)
    for record in records:
        impressions[int(record.identity)].append(record.impression)
    if gaps := max(impressions, default=-1) + 1 - len(impressions):
        first = islice((number for number in range(gaps + NAMED) if number not in impressions), NAMED + 1)
        yield Fault("labels", "identities", f"{gaps} numbers are not used: {_some(list(first))}")
    broken = [number for number, seen in impressions.items() if sorted(seen) != list(range(len(seen)))]
    if broken:
        yield Fault("labels", "impressions", f"not 0, 1, 2... of {len(broken)} identities: {_some(sorted(broken))}")


def check_copies(records: Sequence[Record]) -> Iterator[Fault]:
    """Images with the same pixels, and names that are used twice."""
    same: dict[str, list[str]] = defaultdict(list)
    for record in records:
        same[record.pixels].append(record.name)
    for names in same.values():
        if len(names) > 1:
            yield Fault("duplicate image", names[0], f"has the same pixels as {_some(names[1:])}")
    used = Counter((record.split, record.name) for record in records)
    for (_, name), count in used.items():
        if count > 1:
            yield Fault("labels", name, f"{count} images have this name")


def check_splits(records: Sequence[Record]) -> Iterator[Fault]:
    """No identity and no person in two splits."""
    for what in ("identity", "subject"):
        seen: dict[str, set[str]] = defaultdict(set)
        for record in records:
            if record.split is not None and getattr(record, what) is not None:
                seen[getattr(record, what)].add(record.split)
        shared = [name for name, splits in seen.items() if len(splits) > 1]
        if shared:
            splits = " and ".join(sorted(set.union(*(seen[name] for name in shared))))
            yield Fault("splits", what, f"{len(shared)} stand in more than one of {splits}: {_some(shared)}")
            return


def check_words(records: Sequence[Record]) -> Iterator[Fault]:
    """All images of an identity have its pattern class and finger position."""
    for column in ("pattern", "finger"):
        seen: dict[str, set[str | None]] = defaultdict(set)
        for record in records:
            if column in record.words:
                seen[record.identity].add(record.words[column])
        torn = [name for name, words in seen.items() if len(words) > 1]
        if torn:
            yield Fault("labels", column, f"differs between the images of {len(torn)} identities: {_some(torn)}")


def check_shares(shares: Mapping[str, ColumnShares]) -> Iterator[Fault]:
    """Shares that are not what the recipe asked for."""
    for column, figures in shares.items():
        if figures.p is not None and figures.p < UNLIKELY:
            gaps = {word: (told.share, told.asked or 0.0) for word, told in figures.words.items()}
            word, (share, asked) = max(gaps.items(), key=lambda item: abs(item[1][0] - item[1][1]))
            text = f"{word} is {share:.1%} where {asked:.1%} was asked for (p {figures.p:.1g})"
            yield Fault("shares", column, text)


def _some(names: Sequence[Any]) -> str:
    shown = ", ".join(str(name) for name in names[:NAMED])
    return f"{shown}, ..." if len(names) > NAMED else shown
