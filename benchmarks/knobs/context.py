"""In-context style: example images that share one attribute, all others differing; do the images take it on?"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fpsynth.slots import words_of
from knobs.sets import Bench, Knob, even, percent

SHARED = {
    "sensor": ("optical", "capacitive", "thermal", "ink", "contactless"),
    "skin": ("dry", "wet"),
    "quality": ("excellent", "very poor"),
}
EXAMPLES = 5


def context(bench: Bench) -> Iterator[Knob]:
    """For every shared word: examples by virtual sensors, then images by the model and by virtual sensors."""
    shares, rows = {}, []
    for slot, choice in SHARED.items():
        own = [_taken_on(bench, slot, word) for word in choice]
        shares[slot] = [float(np.mean([pair[k] for pair in own])) for k in (0, 1)]
        rows.append((slot, *(percent(share) for share in shares[slot]), percent(1 / len(words_of(slot)))))
    yield Knob(
        "context",
        f"style.context: images that read as the attribute shared by {EXAMPLES} examples",
        ("shared attribute", "model", "virtual renders", "chance"),
        rows,
        axis="share of the images",
        at=list(shares),
        curves={name: [own[k] for own in shares.values()] for k, name in enumerate(("model", "virtual renders"))},
    )


def _taken_on(bench: Bench, slot: str, word: str) -> tuple[float, float]:
    """Shares of the images that read as the word: by the model, by virtual sensors."""
    folder, name = _examples(bench, slot, word), f"context-{slot}-{word.replace(' ', '-')}"
    shares = []
    for model in ({}, {"model": "virtual"}):
        where = f"{name}{'-virtual' if model else ''}"
        made = bench.make(where, bench.count(12), sampling=model, style={"context": str(folder / "*.png")})
        shares.append(float(np.mean([read == word for read in made.reading.said(slot)])))
    return shares[0], shares[1]


def _examples(bench: Bench, slot: str, word: str) -> Path:
    others = {other: even(choice) for other, choice in SHARED.items() if other != slot}
    name = f"examples-{slot}-{word.replace(' ', '-')}"
    made = bench.make(name, EXAMPLES, prompt={**others, slot: word}, sampling={"model": "virtual"})
    folder = bench.work / f"{name}-images"
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(made.images):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder
