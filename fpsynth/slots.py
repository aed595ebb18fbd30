"""The slots: what can be said of an image in words. The one table behind prompts, recipes, rows, cards and banks.

To add a slot that is drawn for each impression: an entry here, and the key of the same name in a part of the recipe's
schema. Its words are drawn, spoken, written as a column, counted and compared from then on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fpsynth.vocabulary import PATTERNS

Words = Mapping[str, str | None]
"""Slot -> word, or None where it is left open."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One thing that can be said of an image.

    words    the closed vocabulary, in the order of the row's class labels: append, never reorder
    part     the part of the recipe that holds its shares
    phrase   how a prompt says it, {} being the word; empty: it is not spoken
    leads    whether the phrase stands before the word "fingerprint", or in the list after it
    draw     which of an impression's draws chooses the word: append, never renumber; None: it belongs to the identity
    rare     people seldom fill it in, so training leaves it out half of the time
    taught   words of these that nothing but a model which was taught them from prints knows
    only     sensor -> the words that it can have there; with other sensors the slot stays open; empty: any sensor
    """

    words: tuple[str, ...]
    part: str
    phrase: str
    draw: int | None
    leads: bool = False
    rare: bool = False
    taught: tuple[str, ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def allowed(self, word: str | None, sensor: str | None) -> str | None:
        """The word, or None where it cannot be said of a print by this sensor."""
        return word if not self.only or word in self.only.get(sensor or "", ()) else None


_SURFACES = ("glass", "card", "plastic", "metal", "paper")
_TECHNIQUES = ("powder", "cyanoacrylate", "ninhydrin")
_SPOOFS = ("gelatine", "silicone", "latex", "wood glue", "play-doh", "2-D print")

SLOTS: Final[dict[str, Slot]] = {
    "quality": Slot(
        words=("excellent", "good", "fair", "poor", "very poor"),
        part="prompt",
        phrase="{} quality",
        draw=2,
        leads=True,
    ),
    "acquisition": Slot(
        words=("plain", "rolled", "partial", "slap", "latent"),
        part="capture",
        phrase="{}",
        draw=0,
        leads=True,
    ),
    "pattern": Slot(words=PATTERNS, part="finger", phrase="{}", draw=None),
    "sensor": Slot(
        words=("optical", "capacitive", "thermal", "ink", "latent", "contactless", "own"),
        part="prompt",
        phrase="{} sensor",
        draw=1,
        taught=("own",),
    ),
    "skin": Slot(words=("normal", "dry", "wet"), part="prompt", phrase="{} skin", draw=3),
    "pressure": Slot(words=("light", "normal", "firm"), part="prompt", phrase="{} pressure", draw=4, rare=True),
    "surface": Slot(
        words=_SURFACES,
        part="prompt",
        phrase="on {}",
        draw=5,
        rare=True,
        only={"latent": _SURFACES, "ink": ("card",)},
    ),
    "material": Slot(words=("live", *_SPOOFS), part="capture", phrase="{} finger", draw=6, rare=True),
    "technique": Slot(
        words=_TECHNIQUES,
        part="prompt",
        phrase="developed with {}",
        draw=7,
        rare=True,
        only={"latent": _TECHNIQUES},
    ),
}
"""In the order in which a prompt says them."""


@dataclass(frozen=True)
class Clash:
    """Words that cannot be said of one print: slot -> its words. The first slot is the one to change."""

    words: Mapping[str, tuple[str, ...]]
    why: str

    def met(self, words: Words) -> bool:
        """Whether these words say it."""
        return all(words.get(slot) in these for slot, these in self.words.items())


CLASHES: Final[tuple[Clash, ...]] = (
    Clash(
        {"sensor": ("latent",), "acquisition": ("plain", "rolled", "partial", "slap")},
        "a latent print is left behind, not taken (acquisition latent)",
    ),
    Clash(
        {"acquisition": ("latent",), "sensor": ("optical", "capacitive", "thermal", "ink", "contactless")},
        "a print that is left behind meets no such device (sensor latent)",
    ),
    Clash(
        {"pressure": ("light", "normal", "firm"), "sensor": ("contactless",)},
        "a finger before a camera presses on nothing",
    ),
    Clash(
        {"technique": ("ninhydrin",), "surface": ("glass", "plastic", "metal")},
        "ninhydrin stains sweat that a porous surface took up (card, paper)",
    ),
    Clash(
        {"technique": ("cyanoacrylate",), "surface": ("card", "paper")},
        "cyanoacrylate fumes build up on surfaces that take up nothing (glass, plastic, metal)",
    ),
)
"""Recipes that ask for them are followed, and their authors told."""


def clash(words: Words) -> bool:
    """Whether some of these words cannot be said of one print."""
    return any(one.met(words) for one in CLASHES)


LIVENESS = ("bona fide", "attack")
"""How ISO/IEC 30107-3 calls a presentation: of the finger itself, or of an attack instrument."""


def liveness(words: Words) -> str:
    """What the material makes of the presentation; where it is left open the finger itself was captured."""
    return LIVENESS[words.get("material") in _SPOOFS]


def words_of(slot: str) -> tuple[str, ...]:
    """The vocabulary of a slot that needs no teaching: what can be drawn, rendered and said to any model."""
    return tuple(word for word in SLOTS[slot].words if word not in SLOTS[slot].taught)


def spoken_slots() -> dict[str, Slot]:
    """The slots that a prompt can say."""
    return {name: slot for name, slot in SLOTS.items() if slot.phrase}
