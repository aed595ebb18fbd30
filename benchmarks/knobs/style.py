"""Style images: does the look come over, and does the finger stay?"""

from collections.abc import Iterator
from pathlib import Path

from knobs.sets import SEED, Bench, Knob, Seen, distance

FOLDER = 32
"""Style images to draw from."""


def style(bench: Bench) -> Iterator[Knob]:
    """Distance to the style's folder and mated scores, over the number of references.

    The style's folder shows other fingers.
    """
    renders = bench.make("style", FOLDER, 1, SEED + 1, prompt={"sensor": "thermal"}, sampling={"model": "virtual"})
    yield _looks(bench, renders, bench.files("style", renders))


def _looks(bench: Bench, renders: Seen, folder: Path) -> Knob:
    found = {}
    for count in (0, 1, 4):
        look = {"images": str(folder / "*.png"), "per_image": count, "scale": 1.0} if count else {}
        asked = {"prompt": {"sensor": None}, "style": look}
        found[str(count)] = bench.make(f"style-{count}", bench.count(12), 4, **asked)
    distances = [distance(one, renders) for one in found.values()]
    scores = [one.scores() for one in found.values()]
    mated = [score.mated.scores.median if score and score.mated.scores else float("nan") for score in scores]
    rows = [
        (count, f"{d:.2f}", f"{m:.0f}", f"{one.tally.recall:.3f}")
        for count, d, m, one in zip(found, distances, mated, found.values(), strict=True)
    ]
    return Knob(
        "style",
        f"Thermal style images, the sensor left open in the prompt ({len(found['0'].images)} images each)",
        ("references", "energy distance to the style folder", "mated median (bozorth3)", "recall"),
        rows,
        setting="style images for each image",
        axis="energy distance to the style folder (deviations)",
        at=list(found),
        pictures=[*((f"{count} references", one.images[0]) for count, one in found.items())],
        curves={"model": distances},
    )
