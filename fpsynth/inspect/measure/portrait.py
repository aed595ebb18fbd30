"""What a recipe has to say to make prints like those of a dataset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fpsynth.errors import UserError
from fpsynth.inspect.measure.prior import Share, estimated
from fpsynth.inspect.measure.reading import Known, known, probabilities, said, was_read
from fpsynth.inspect.measure.record import Record
from fpsynth.inspect.measure.variation import Variation, fitted
from fpsynth.slots import SLOTS

LEAST = 5
"""Images that have to be readable."""
SURE = 0.8
"""Of a slot that belongs to the identity, shares are estimated where so many held-out renders are read rightly."""
SKILL = 0.25
"""Known.skill: a slot with less stays as usual."""
PIECES = ("partial", "latent")
"""Acquisitions that show a piece of the finger: two such images are alike only where the pieces overlap."""
MULTIPLE, SMALLEST, LARGEST, USUAL_PPI = 64, 64, 2048, 500
LEAST_PPI, MOST_PPI = 250, 1000


@dataclass(frozen=True)
class Size:
    """The most frequent image size (pixels, ppi) as a recipe can have it; found: as the images have it."""

    width: int
    height: int
    ppi: int
    found: tuple[int, int, float]


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """A dataset as a recipe says it.

    images      that were read
    reader      digest of who read them
    labelled    whether the dataset says which images are of the same finger; else each is taken for a finger of its own
    accuracy    slot -> share of held-out renders that the reader reads rightly
    shares      slot -> word -> share; slots that cannot be told are left out
    unread      slots that the reader hardly reads
    variation   None where it cannot be told
    """

    images: int
    reader: str
    labelled: bool
    identities: int
    impressions: int
    size: Size
    accuracy: Mapping[str, float]
    shares: Mapping[str, Mapping[str, Share]]
    unread: tuple[str, ...]
    variation: Variation | None


def portray(records: Sequence[Record]) -> Portrait:
    """The portrait of a dataset. Raises UserError where there is no reader, or too little that it can read."""
    facts, read = _readable(records)
    each = Counter(record.identity for record in records)
    labelled = 1 < len(each) < len(records)
    tables = {slot: told for slot, told in probabilities(read, facts).items() if facts.skill(slot) >= SKILL}
    owner = np.array([record.identity for record in read]) if labelled else np.arange(len(read))
    shares = _all_shares(tables, facts, owner)
    return Portrait(
        images=len(read),
        reader=facts.digest,
        labelled=labelled,
        identities=len(each) if labelled else len(records),
        impressions=max(1, round(float(np.median(list(each.values()))))) if labelled else 1,
        size=_size(records),
        accuracy=facts.accuracy,
        shares=shares,
        unread=tuple(slot for slot in facts.words if slot not in tables),
        variation=fitted(_whole(read, facts), _poor(shares.get("quality", {}))) if labelled else None,
    )


def _readable(records: Sequence[Record]) -> tuple[Known, list[Record]]:
    facts, read = known(), was_read(records)
    if facts is None:
        raise UserError("--recipe: this installation has no reader (fpsynth/weights/reader)")
    if records and all(record.deep is None for record in records):
        raise UserError(f"--recipe: all {len(records)} images are blank")
    if len(read) < LEAST:
        raise UserError(f"--recipe: {len(read)} images can be read, at least {LEAST} are needed")
    return facts, read


def _whole(records: Sequence[Record], facts: Known) -> list[Record]:
    """The images that do not read as a piece of a finger."""
    table = probabilities(records, facts).get("acquisition")
    if table is None:
        return list(records)
    words = said(table, facts.words["acquisition"])
    return [record for record, word in zip(records, words, strict=True) if word not in PIECES]


def _all_shares(tables: Mapping[str, np.ndarray], facts: Known, owner: np.ndarray) -> dict[str, dict[str, Share]]:
    """Slot -> estimated shares; owner (n,): whose finger each image shows."""
    shares: dict[str, dict[str, Share]] = {}
    for slot, told in tables.items():
        if SLOTS[slot].draw is None:
            shares |= _of_fingers(slot, told, facts, owner)
        elif not SLOTS[slot].only:
            shares[slot] = estimated(told, facts.words[slot], facts.prior[slot], owner)
        elif "sensor" in tables:
            sensors = said(tables["sensor"], facts.words["sensor"])
            shares |= _with_sensors(slot, told, facts.words[slot], sensors, owner)
    return shares


def _of_fingers(slot: str, told: np.ndarray, facts: Known, owner: np.ndarray) -> dict[str, dict[str, Share]]:
    """Shares of a slot of the identity: each counts once, by the mean of its images. Nothing where it is read badly."""
    if facts.accuracy[slot] < SURE:
        return {}
    names, number = np.unique(owner, return_inverse=True)
    sums = np.zeros((len(names), told.shape[1]))
    np.add.at(sums, number, told)
    means = sums / sums.sum(1, keepdims=True)
    return {slot: estimated(means, facts.words[slot], facts.prior[slot], names)}


def _with_sensors(
    slot: str, told: np.ndarray, words: Sequence[str], sensors: Sequence[str], owner: np.ndarray
) -> dict[str, dict[str, Share]]:
    """Shares of a slot that only some sensors have, from the images that read as of one with the widest choice.

    Training draws the words that such a sensor can have evenly. Nothing where there are few such images.
    """
    possible = np.array([[word in SLOTS[slot].only.get(sensor, ()) for word in words] for sensor in sensors])
    chosen = possible.any(1) & (possible.sum(1) == possible.sum(1).max())
    if chosen.sum() < LEAST:
        return {}
    masked = np.where(possible[chosen], told[chosen], 0.0)
    even = np.full(len(words), 1 / len(words))
    return {slot: estimated(masked / masked.sum(1, keepdims=True), words, even, owner[chosen])}


def _poor(quality: Mapping[str, Share]) -> float:
    """How much of the way from good to poor prints a dataset is."""
    halves = {"fair": 0.5, "poor": 1.0, "very poor": 1.0}
    return sum(share.value * halves.get(word, 0.0) for word, share in quality.items())


def _size(records: Sequence[Record]) -> Size:
    """Sides to the nearest multiple of 64; of images whose resolution a recipe cannot have, at 500 ppi."""
    ((width, height, ppi), _), *_ = Counter((r.width, r.height, r.ppi) for r in records).most_common(1)
    possible = LEAST_PPI <= ppi <= MOST_PPI
    target = round(ppi) if possible else USUAL_PPI
    scale = 1 if possible else target / ppi
    return Size(_side(width * scale), _side(height * scale), target, (width, height, ppi))


def _side(pixels: float) -> int:
    return min(LARGEST, max(SMALLEST, MULTIPLE * round(pixels / MULTIPLE)))
