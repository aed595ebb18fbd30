"""What the bundled reader makes of a dataset's images: the probabilities of the words of every slot."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fpsynth.errors import UserError
from fpsynth.inspect.measure.record import Record
from fpsynth.reader.bundled import CONFIG, bundled_reader_digest, default_reader
from fpsynth.slots import SLOTS

if TYPE_CHECKING:
    from fpsynth.reader.reader import Reader

LEAST = 1e-6
"""Of a probability: float16 holds no smaller ones well."""
BLIND = 0.1
"""Of a slot that is read with less skill nothing is said."""


@dataclass(frozen=True)
class Known:
    """What is known of the reader without loading it, see fpsynth.reader.reader.Reader."""

    digest: str
    words: Mapping[str, tuple[str, ...]]
    prior: Mapping[str, np.ndarray]
    accuracy: Mapping[str, float]

    def skill(self, slot: str) -> float:
        """How far from saying the most frequent word always (0) to reading every held-out render rightly (1)."""
        chance = float(max(self.prior[slot]))
        return (self.accuracy[slot] - chance) / (1 - chance)


@dataclass(frozen=True)
class SlotRead:
    """How a slot's words are read.

    images    that were read; of a slot that only some sensors have, those that read as made by one of these
    shares    of these images by their likeliest word, the most frequent first
    accuracy  share of the reader's held-out renders that it reads rightly; easier sets are read better
    asked     images whose row says a word that the reader knows
    agreement share of those that read as the word; None where there are none
    """

    images: int
    shares: Mapping[str, float]
    accuracy: float
    asked: int
    agreement: float | None


@dataclass(frozen=True)
class ReadingFigures:
    """What the reader says of the images that it was shown, slot by slot; reader: its digest."""

    reader: str
    images: int
    slots: Mapping[str, SlotRead]


@cache
def known() -> Known | None:
    """What is known of the bundled reader; None where there is none that can be read. Loads no torch."""
    try:
        content = json.loads((default_reader() / CONFIG).read_text(encoding="utf-8"))
        return _known(bundled_reader_digest(), content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _known(digest: str, content: Mapping[str, Mapping[str, Any]]) -> Known:
    words = {slot: tuple(map(str, own)) for slot, own in content["words"].items() if slot in SLOTS}
    prior = {slot: np.array(content["prior"][slot], np.float64) for slot in words}
    return Known(digest, words, prior, {slot: float(content["accuracy"][slot]) for slot in words})


@cache
def reader() -> "Reader | None":
    """The bundled reader, loaded once a process; None where it cannot be."""
    from fpsynth.reader.reader import load_reader

    try:
        return load_reader()
    except UserError:
        return None


def read(image: np.ndarray, ppi: float) -> bytes | None:
    """What is kept of a grey image (H, W) uint8: float16 probabilities, slot after slot; None without a reader."""
    facts = known()
    own = reader() if facts is not None else None
    if facts is None or own is None:
        return None
    told = own.read([image], ppi).shares
    return np.concatenate([told[slot][0] for slot in facts.words]).astype(np.float16).tobytes()


def was_read(records: Sequence[Record]) -> list[Record]:
    """The records that the reader has said something of."""
    return [record for record in records if record.read is not None]


def probabilities(records: Sequence[Record], facts: Known) -> dict[str, np.ndarray]:
    """Slot -> (n, words) of the records that were read; rows sum to 1."""
    rows = [np.frombuffer(record.read, np.float16) for record in records if record.read is not None]
    sizes = [len(words) for words in facts.words.values()]
    table = np.maximum(np.array(rows, np.float64).reshape(-1, sum(sizes)), LEAST)
    parts = np.split(table, np.cumsum(sizes)[:-1], axis=1)
    return {slot: part / part.sum(1, keepdims=True) for slot, part in zip(facts.words, parts, strict=True)}


def said(table: np.ndarray, words: Sequence[str]) -> list[str]:
    """The likeliest word of each row."""
    return [words[index] for index in table.argmax(1)]


def reading_figures(records: Sequence[Record]) -> ReadingFigures | None:
    """How the images read, and how often as their rows say; None where no image was read."""
    facts, chosen = known(), was_read(records)
    if facts is None or not chosen:
        return None
    return ReadingFigures(facts.digest, len(chosen), dict(_slots(chosen, facts)))


def _slots(records: Sequence[Record], facts: Known) -> Iterator[tuple[str, SlotRead]]:
    tables = probabilities(records, facts)
    words = {slot: said(table, facts.words[slot]) for slot, table in tables.items()}
    sensors = words.get("sensor", [""] * len(records))
    for slot, own in words.items():
        only = SLOTS[slot].only
        counted = [word for word, sensor in zip(own, sensors, strict=True) if not only or sensor in only]
        if counted and facts.skill(slot) >= BLIND:
            asked = [(word, r.words.get(slot)) for word, r in zip(own, records, strict=True)]
            right = [word == wanted for word, wanted in asked if wanted in facts.words[slot]]
            yield slot, _slot(counted, facts.accuracy[slot], right)


def _slot(words: Sequence[str], accuracy: float, right: Sequence[bool]) -> SlotRead:
    counts = {word: words.count(word) for word in sorted(set(words))}
    shares = {word: round(counts[word] / len(words), 4) for word in sorted(counts, key=lambda w: -counts[w])}
    return SlotRead(len(words), shares, accuracy, len(right), round(sum(right) / len(right), 4) if right else None)
