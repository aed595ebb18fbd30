"""Guidance: by the words (cfg_scale) and by the reader (guide), judged by others than the reader too."""

from collections.abc import Iterator, Mapping
from typing import Any

from fpsynth.slots import words_of
from knobs.sets import Bench, Knob, Seen, distance_to_twin, even, percent

STEPS = 12
CFG = (1, 2, 4)
STRENGTHS = (0, 1, 4, 16)
KINDS = ("optical", "capacitive", "thermal", "ink", "contactless")


def guidance(bench: Bench) -> Iterator[Knob]:
    """The model itself in 12 steps, over cfg_scale and over the strength of the guide."""
    asked = {"prompt": {"sensor": even(KINDS), "quality": even(words_of("quality"))}}
    twin = bench.twin("guidance", bench.count(60), **asked)
    plain: dict[str, Any] = {"student": "none", "steps": STEPS}
    by_words = {f"{scale}": {**plain, "cfg_scale": float(scale)} for scale in CFG}
    by_reader = {
        f"{s}": plain | {"cfg_scale": 1.0} | ({"guide": {"quality": float(s), "sensor": float(s)}} if s else {})
        for s in STRENGTHS
    }
    yield _over(bench, "cfg_scale", "cfg", by_words, asked, twin)
    yield _over(bench, "guide: {quality: s, sensor: s}", "guide", by_reader, asked, twin)


def _over(
    bench: Bench, title: str, name: str, settings: Mapping[str, Mapping[str, Any]], asked: Mapping[str, Any], twin: Seen
) -> Knob:
    made = {
        value: bench.make(f"{name}-{value}", bench.count(60), sampling=sampling, **asked)
        for value, sampling in settings.items()
    }
    sets = {**made, "renders": twin}
    rows = [
        (
            value,
            percent(one.agreement("sensor")),
            percent(one.agreement("quality")),
            f"{one.tally.recall:.3f}",
            f"{one.tally.spurious:.3f}",
            one.told_nfiq2,
            f"{distance_to_twin(one, twin):.2f}" if one is not twin else "",
            f"{one.diversity:.2f}",
        )
        for value, one in sets.items()
    ]
    columns = ("sensor as asked", "quality as asked", "recall", "spurious", "NFIQ2", "distance to renders", "diversity")
    return Knob(
        name,
        f"{title}, the model itself in {STEPS} steps ({len(twin.images)} images each)",
        (title.split(":")[0], *columns),
        rows,
        setting=f"{title}, {STEPS} steps",
        axis="share of the images, or of the true minutiae",
        at=list(made),
        pictures=[(f"{title.split(':')[0]} {value}", one.images[0]) for value, one in made.items()],
        curves={
            "sensor as asked": [one.agreement("sensor") for one in made.values()],
            "quality as asked": [one.agreement("quality") for one in made.values()],
            "recall": [one.tally.recall for one in made.values()],
        },
    )
