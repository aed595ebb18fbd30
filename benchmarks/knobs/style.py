"""Style images: does the look come over, and does the finger stay?"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fpsynth.inspect.measure.likeness import textures
from knobs.sets import SEED, Bench, Knob, Seen, distance

FOLDER = 32
"""Style images to draw from."""
DRAWS = 8
"""Sets of style images for the same images of the same fingers."""


def style(bench: Bench) -> Iterator[Knob]:
    """Distance to the style's folder and mated scores, over the number of references.

    The style's folder shows other fingers.
    """
    renders = bench.make("style", FOLDER, 1, SEED + 1, prompt={"sensor": "thermal"}, sampling={"model": "virtual"})
    folder = bench.files("style", renders)
    yield _looks(bench, renders, folder)
    yield _law(bench, folder)


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


def _law(bench: Bench, folder: Path) -> Knob:
    """By how much the look depends on which style images were drawn: of n that are read as one, a share of 1 / n."""
    spread = {count: _spread(bench, folder, count) for count in (1, 2, 4)}
    rows = [(str(count), f"{found:.4f}", f"{count * found / spread[1]:.2f}") for count, found in spread.items()]
    return Knob(
        "references",
        f"Thermal style images drawn {DRAWS} times for the same images",
        ("references", "variance of the texture over the draws", "times references, of one reference's"),
        rows,
        setting="style images for each image",
        axis="variance of the texture over draws of the style images",
        at=[str(count) for count in spread],
        curves={"model": list(spread.values()), "1 / n": [spread[1] / count for count in spread]},
    )


def _spread(bench: Bench, folder: Path, count: int) -> float:
    """Variance of the texture over draws, summed over its components, in the mean of the images."""
    rng, files, drawn = np.random.default_rng(count), sorted(folder.glob("*.png")), []
    for draw in range(DRAWS):
        home = bench.work / f"references-{count}-{draw}-images"
        home.mkdir(parents=True, exist_ok=True)
        for file in rng.choice(np.array(files), count, replace=False):
            shutil.copy(file, home)
        look = {"images": str(home / "*.png"), "per_image": count, "scale": 1.0}
        made = bench.make(f"references-{count}-{draw}", bench.count(6), 1, prompt={"sensor": None}, style=look)
        drawn.append(textures(made.records))
    return float(np.var(np.stack(drawn), axis=0, ddof=1).sum(1).mean())
