"""A small population of planted prints: fingers that match themselves and no others, with exact minutiae."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from fpsynth.dataset import DatasetSpec, DatasetWriter, GateRecord, Renderer, Row
from fpsynth.minutiae import Minutia
from fpsynth.recipe import Recipe, recipe_yaml
from fpsynth.vocabulary import PATTERNS
from tests.prints import kinds, planted

SIDE = 264
MARGIN = 36
IDENTITIES, IMPRESSIONS = 6, 3
TURNS = (30.0, 45.0, 60.0, 120.0, 135.0, 150.0)
SHARDS = {"train": 2, "test": 1}


@cache
def finger(identity: int) -> tuple[Minutia, ...]:
    """About 25 minutiae, at least 32 pixels apart, over a field larger than an impression."""
    rng = np.random.default_rng(identity)
    places: list[tuple[float, float]] = []
    for _ in range(600):
        x, y = rng.uniform(MARGIN, SIDE - MARGIN, 2)
        if all(np.hypot(x - a, y - b) > 32 for a, b in places):
            places.append((x, y))
    return tuple(Minutia(x, y, TURNS[identity] + float(rng.choice((0.0, 180.0))), "ending", 60) for x, y in places)


@cache
def row(identity: int, impression: int) -> Row:
    rng = np.random.default_rng((identity, impression))
    dx, dy = rng.integers(-12, 13, 2)
    minutiae = kinds([m._replace(x=m.x + dx, y=m.y + dy) for m in finger(identity)], TURNS[identity])
    return Row(
        image=planted(minutiae, SIDE, SIDE, seed=100 * identity + impression, turn=TURNS[identity]),
        identity=identity,
        impression=impression,
        subject=identity,
        words={
            "pattern": PATTERNS[identity % 6],
            "acquisition": "plain",
            "sensor": "optical",
            "quality": "good",
            "skin": "normal",
        },
        prompt="a good quality plain fingerprint",
        seed=identity,
        minutiae=minutiae,
        gate=GateRecord("passed", 0.9, 0.1, 1),
        renderer=Renderer("virtual"),
    )


Change = Callable[[list[Row]], list[Row]]


def build(
    root: Path, change: Change = list, form: str = "parquet", sidecars: Sequence[str] = ("iso19794-2", "xyt")
) -> Path:
    """Write the population, changed, as a finished dataset: identities 0 to 3 in train, 4 and 5 in test."""
    rows = change([row(i, k) for i in range(IDENTITIES) for k in range(IMPRESSIONS)])
    recipe = recipe_yaml(Recipe(identities=IDENTITIES, impressions=IMPRESSIONS))
    spec = DatasetSpec(
        name="p", splits=SHARDS, format=form, sidecars=tuple(sidecars), provenance={"recipe": "abc"}, recipe=recipe
    )
    writer = DatasetWriter(root, spec)
    writer.prepare()
    for index in writer.missing():
        writer.write(index, rows[index * 6 : index * 6 + 6])
    assert writer.finish()
    return root
