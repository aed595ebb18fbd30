"""A reader for tests: it knows the word of every image of a population, and says it as surely as it is told to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from fpsynth.inspect.measure.reading import Known
from fpsynth.reader.reader import Reading
from fpsynth.slots import SLOTS

WORDS = {slot: SLOTS[slot].words for slot in ("quality", "acquisition", "pattern", "sensor", "skin", "pressure")}
Saying = Callable[[np.ndarray], Mapping[str, str]]


@dataclass
class FakeReader:
    """says: image -> slot -> word; sure: the probability that it gives to that word."""

    says: Saying
    words: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: WORDS)
    sure: float = 0.98
    accuracy: float = 0.97
    digest: str = "0123456789abcdef" * 4

    def read(self, images: Sequence[np.ndarray], ppi: float = 500) -> Reading:
        told = [self.says(image) for image in images]
        return Reading({slot: self._table(slot, [one[slot] for one in told]) for slot in self.words}, self.words)

    def _table(self, slot: str, words: Sequence[str]) -> np.ndarray:
        known = self.words[slot]
        table = np.full((len(words), len(known)), (1 - self.sure) / (len(known) - 1), np.float32)
        table[np.arange(len(words)), [known.index(word) for word in words]] = self.sure
        return table

    @property
    def known(self) -> Known:
        prior = {slot: np.full(len(words), 1 / len(words)) for slot, words in self.words.items()}
        return Known(self.digest, self.words, prior, dict.fromkeys(self.words, self.accuracy))

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """In the place of the bundled reader, in this process."""
        for name in ("fpsynth.inspect.measure.reading", "fpsynth.inspect.measure.scan"):
            patch.setattr(f"{name}.known", lambda: self.known)
        for name in ("measure.portrait", "look.portrait"):
            patch.setattr(f"fpsynth.inspect.{name}.known", lambda: self.known)
        patch.setattr("fpsynth.inspect.measure.reading.reader", lambda: self)


USUAL = {
    "quality": "good",
    "acquisition": "plain",
    "pattern": "whorl",
    "sensor": "optical",
    "skin": "normal",
    "pressure": "normal",
}


def constant(**words: str) -> FakeReader:
    """Says the same of every image."""
    return FakeReader(lambda image: USUAL | words)
