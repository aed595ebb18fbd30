"""The slots: what can be said of an image in words. The one table behind prompts, recipes, rows, cards and banks.

To add a slot: an entry here, and the key of the same name in a part of the recipe's schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fpsynth.vocabulary import PATTERNS

Words = Mapping[str, str | None]
"""Slot -> word, or None where it is left open."""


@dataclass(frozen=True)
class Slot:
    """One thing that can be said of an image.

    words    the closed vocabulary, in the order of the row's class labels: append, never reorder
    part     the part of the recipe that holds its shares
    phrase   how a prompt says it, {} being the word; empty: it is not spoken
    leads    whether the phrase stands before the word "fingerprint", or in the list after it
    draw     which of an impression's draws chooses the word: append, never renumber; None: it belongs to the identity
    rare     people seldom fill it in, so training leaves it out half of the time
    only     sensor -> the words that it can have there; with other sensors the slot stays open; empty: any sensor
    """

    words: tuple[str, ...]
    part: str
    phrase: str
    draw: int | None
    leads: bool = False
    rare: bool = False
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def allowed(self, word: str | None, sensor: str | None) -> str | None:
        """The word, or None where it cannot be said of a print by this sensor."""
        return word if not self.only or word in self.only.get(sensor or "", ()) else None


_SURFACES = ("glass", "card", "plastic", "metal", "paper")

SLOTS: Final[dict[str, Slot]] = {
    "quality": Slot(("excellent", "good", "fair", "poor", "very poor"), "prompt", "{} quality", draw=2, leads=True),
    "acquisition": Slot(("plain", "rolled", "partial", "slap", "latent"), "capture", "{}", draw=0, leads=True),
    "pattern": Slot(PATTERNS, "finger", "{}", draw=None),
    "sensor": Slot(
        ("optical", "capacitive", "thermal", "ink", "latent", "contactless"), "prompt", "{} sensor", draw=1
    ),
    "skin": Slot(("normal", "dry", "wet"), "prompt", "{} skin", draw=3),
    "pressure": Slot(("light", "normal", "firm"), "prompt", "{} pressure", draw=4, rare=True),
    "surface": Slot(
        _SURFACES, "prompt", "on {}", draw=5, rare=True, only={"latent": _SURFACES, "ink": ("card",)}
    ),
}  # fmt: skip
"""In the order in which a prompt says them."""


def words_of(slot: str) -> tuple[str, ...]:
    """The vocabulary of a slot."""
    return SLOTS[slot].words
