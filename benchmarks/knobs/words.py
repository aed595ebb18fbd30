"""Words: do the pictures read as the words, do quality words order NFIQ2, is each sensor nearest to its own kind?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from fpsynth.slots import words_of
from knobs.sets import Bench, Knob, Seen, distance, distance_to_twin, even, percent

Sets = Mapping[str, Seen]
"""Word -> the set that was asked to show it."""
SAID = ("sensor", "quality", "skin", "pressure")


def words(bench: Bench) -> Iterator[Knob]:
    """Agreement, quality, sensors."""
    yield _agreement(bench)
    yield _quality(bench)
    yield from _sensors(bench)


def _agreement(bench: Bench) -> Knob:
    """Every word of every slot, drawn evenly and independently."""
    prompt = {slot: even(words_of(slot)) for slot in SAID}
    asked = {"prompt": prompt, "capture": {"acquisition": even(("plain", "rolled", "partial", "slap"))}}
    model, twin = (make("words", bench.count(180), **asked) for make in (bench.make, bench.twin))
    slots = (*SAID, "acquisition")
    rows = [
        (slot, percent(model.agreement(slot)), percent(twin.agreement(slot)), percent(1 / len(words_of(slot))))
        for slot in slots
    ]
    return Knob(
        "agreement",
        f"Words read off the picture as they were asked for ({len(model.images)} images)",
        ("slot", "model", "virtual renders of the same rows", "chance"),
        rows,
        setting="slot",
        axis="share of the images that read as the word",
        at=slots,
        curves={"model": [model.agreement(s) for s in slots], "virtual renders": [twin.agreement(s) for s in slots]},
    )


def _by_word(bench: Bench, slot: str, words: Sequence[str], count: int, virtual: bool, **prompt: Any) -> Sets:
    """A set for every word, all of the same fingers in the same captures."""
    make = bench.twin if virtual else bench.make
    return {word: make(f"{slot}-{word.replace(' ', '-')}", count, prompt={**prompt, slot: word}) for word in words}


def _quality(bench: Bench) -> Knob:
    """Optical prints of normal skin over the five quality words."""
    order, count = words_of("quality"), bench.count(25)
    model, twin = (_by_word(bench, "quality", order, count, virtual) for virtual in (False, True))
    means = [[one.mean_nfiq2 for one in own.values()] for own in (model, twin)]
    rows = [
        (name, *(one.told_nfiq2 for one in sets.values()), f"{_ranked(sets):.2f}", percent(_read(sets, "quality")))
        for name, sets in (("model", model), ("virtual renders", twin))
    ]
    return Knob(
        "quality",
        f"NFIQ2 by quality word, optical ({count} images a word; in brackets those that have a score)",
        ("", *order, "Spearman", "read as asked"),
        rows,
        setting="quality word asked for",
        axis="mean NFIQ2 (0 to 100)",
        at=order,
        pictures=[(word, one.images[0]) for word, one in model.items()],
        curves=dict(zip(("model", "virtual renders"), means, strict=True)),
    )


def _read(sets: Sets, slot: str) -> float:
    return float(np.mean([one.agreement(slot) for one in sets.values()]))


def _ranked(sets: Sets) -> float:
    return rank_correlation([one.nfiq2 for one in sets.values()])


def rank_correlation(scores: Sequence[Sequence[int]]) -> float:
    """Spearman's, of quality words (scores from the best word to the worst) and NFIQ2: 1 where better is higher."""
    ranked = [(-place, score) for place, own in enumerate(scores) for score in own]
    return float(spearmanr(*zip(*ranked, strict=True)).statistic)


def _sensors(bench: Bench) -> Iterator[Knob]:
    """Each sensor word against the renders of each, and against real prints."""
    kinds, count = [word for word in words_of("sensor") if word != "latent"], bench.count(40)
    mix = {"quality": even(("excellent", "good", "fair"))}
    model, twin = (_by_word(bench, "sensor", kinds, count, virtual, **mix) for virtual in (False, True))
    real = {f"real {name}": bench.look(folder) for name, folder in bench.references.items()}
    scale = [record for one in twin.values() for record in one.scored]
    table = {
        word: [
            *(distance_to_twin(one, other, scale) for other in twin.values()),
            *(distance(one, other, scale) for other in real.values()),
        ]
        for word, one in model.items()
    }
    yield Knob(
        "sensors",
        f"Energy distance of each sensor word to virtual renders of each, and to real prints ({count} images a word)",
        ("asked for", "scored", *twin, *real, "nearest render", "read as asked"),
        [
            (
                word,
                str(len(model[word].scored)),
                *(f"{d:.2f}" for d in own),
                "" if np.isnan(own[0]) else kinds[int(np.argmin(own[: len(kinds)]))],
                percent(model[word].agreement("sensor")),
            )
            for word, own in table.items()
        ],
        setting="sensor word asked for",
        axis="energy distance to renders of the same word (deviations)",
        at=kinds,
        pictures=[(word, one.images[0]) for word, one in model.items()],
        curves={"model": [table[word][place] for place, word in enumerate(kinds)]},
    )
    if real:
        yield Knob(
            "sensors-virtual",
            "Energy distance of the virtual renders themselves to real prints",
            ("rendered", *real),
            [(word, *(f"{distance(one, other, scale):.2f}" for other in real.values())) for word, one in twin.items()],
        )
