"""Words: do the pictures read as the words, do quality words order NFIQ2, is each sensor nearest to its own kind?"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import spearmanr

from fpsynth.slots import words_of
from knobs.sets import Bench, Knob, Seen, distance, even, percent

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
        axis="share of the images that read as the word",
        at=slots,
        curves={"model": [model.agreement(s) for s in slots], "virtual renders": [twin.agreement(s) for s in slots]},
    )


def _quality(bench: Bench) -> Knob:
    """Optical prints of normal skin over the five quality words."""
    asked = {"prompt": {"quality": even(words_of("quality"))}}
    model, twin = (make("quality", bench.count(125), **asked) for make in (bench.make, bench.twin))
    order = words_of("quality")
    means = [[float(np.mean(one.part("quality", word).nfiq2)) for word in order] for one in (model, twin)]
    ranks = [_rank_correlation(one) for one in (model, twin)]
    rows = [
        (name, *(f"{mean:.1f}" for mean in own), f"{rank:.2f}", percent(one.agreement("quality")))
        for name, own, rank, one in zip(("model", "virtual"), means, ranks, (model, twin), strict=True)
    ]
    return Knob(
        "quality",
        f"NFIQ2 by quality word, optical ({len(model.images)} images)",
        ("", *order, "Spearman", "read as asked"),
        rows,
        axis="mean NFIQ2",
        at=order,
        pictures=[(word, model.part("quality", word).images[0]) for word in order],
        curves=dict(zip(("model", "virtual renders"), means, strict=True)),
    )


def _rank_correlation(seen: Seen) -> float:
    """Spearman's, of quality words (from the worst) and NFIQ2."""
    order = words_of("quality")[::-1]
    ranked = [(order.index(str(r.words["quality"])), r.judged.nfiq2) for r in seen.scored if r.judged is not None]
    return float(spearmanr(*zip(*ranked, strict=True)).statistic)


def _sensors(bench: Bench) -> Iterator[Knob]:
    """Each sensor word against the renders of each, and against real prints."""
    kinds = [word for word in words_of("sensor") if word != "latent"]
    asked = {"prompt": {"sensor": even(kinds), "quality": even(("excellent", "good", "fair"))}}
    model, twin = (make("sensors", bench.count(200), **asked) for make in (bench.make, bench.twin))
    others = {word: twin.part("sensor", word) for word in kinds}
    others |= {f"real {name}": bench.look(folder) for name, folder in bench.references.items()}
    table = [[distance(model.part("sensor", word), other) for other in others.values()] for word in kinds]
    nearest = [list(others)[int(np.argmin(row[: len(kinds)]))] for row in table]
    yield Knob(
        "sensors",
        f"Energy distance of each sensor word to virtual renders of each ({len(model.images)} images)",
        ("asked for", *others, "nearest render", "read as asked"),
        [
            (word, *(f"{d:.1f}" for d in row), near, percent(model.part("sensor", word).agreement("sensor")))
            for word, row, near in zip(kinds, table, nearest, strict=True)
        ],
        axis="energy distance to the renders of the same word",
        at=kinds,
        pictures=[(word, model.part("sensor", word).images[0]) for word in kinds],
        curves={"model": [table[k][k] for k in range(len(kinds))]},
    )
    if bench.references:
        yield Knob(
            "sensors-virtual",
            "The same distances of the virtual renders themselves to real prints",
            ("rendered", *(f"real {name}" for name in bench.references)),
            [
                (word, *(f"{distance(others[word], others[f'real {name}']):.1f}" for name in bench.references))
                for word in kinds
            ],
        )
