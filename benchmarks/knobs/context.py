"""In-context style: example images that share one attribute, all others differing; do the images take it on?"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from fpsynth.slots import words_of
from knobs.sets import SEED, Bench, Knob, Seen, even, percent

SHARED = {
    "sensor": ("optical", "capacitive", "thermal", "ink", "contactless"),
    "skin": ("dry", "wet"),
    "quality": ("excellent", "very poor"),
}
EXAMPLES, IMAGES = 5, 12


def context(bench: Bench) -> Iterator[Knob]:
    """For every shared word: examples by virtual sensors, then images by the model and by virtual sensors."""
    made = {(slot, word): _taken_on(bench, slot, word) for slot, choice in SHARED.items() for word in choice}
    shares = {key: tuple(_reads_as(one, *key) for one in pair) for key, pair in made.items()}
    yield Knob(
        "context",
        f"style.context: images that read as the attribute shared by {EXAMPLES} examples "
        f"({bench.count(IMAGES)} images a word)",
        ("shared attribute", "model", "virtual renders", "chance"),
        list(_rows(shares)),
        setting="word that the examples share",
        axis="share of the images that read as it",
        at=[word for _, word in made],
        pictures=[(word, model.images[0]) for (_, word), (model, _) in made.items()],
        curves={name: [own[k] for own in shares.values()] for k, name in enumerate(("model", "virtual renders"))},
    )


def _rows(shares: Mapping[tuple[str, str], tuple[float, ...]]) -> Iterator[tuple[str, ...]]:
    """Of each slot its mean, then its words."""
    for slot in SHARED:
        own = {word: both for (other, word), both in shares.items() if other == slot}
        mean = np.mean(list(own.values()), axis=0)
        yield f"**{slot}**", *(percent(share) for share in mean), percent(1 / len(words_of(slot)))
        yield from ((word, *(percent(share) for share in both), "") for word, both in own.items())


def _reads_as(seen: Seen, slot: str, word: str) -> float:
    return float(np.mean([read == word for read in seen.reading.said(slot)]))


def _taken_on(bench: Bench, slot: str, word: str) -> tuple[Seen, Seen]:
    """Images in the context of examples that share the word: by the model, by virtual sensors."""
    folder, name = _examples(bench, slot, word), f"context-{slot}-{word.replace(' ', '-')}"
    look, count = {"context": str(folder / "*.png")}, bench.count(IMAGES)
    model = bench.make(name, count, style=look)
    return model, bench.make(f"{name}-virtual", count, sampling={"model": "virtual"}, style=look)


def _examples(bench: Bench, slot: str, word: str) -> Path:
    others = {other: even(choice) for other, choice in SHARED.items() if other != slot}
    name = f"examples-{slot}-{word.replace(' ', '-')}"
    made = bench.make(name, EXAMPLES, 1, SEED + 1, prompt={**others, slot: word}, sampling={"model": "virtual"})
    return bench.files(name, made)
