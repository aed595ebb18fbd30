"""Style images: does the look come over, does the finger stay, and does their mean settle as they grow in number?"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fpsynth.conditioning.conditions import Conditioning, Style, batched
from fpsynth.diffusion.model import Model, load_model
from knobs.sets import SEED, Bench, Knob, Seen, distance

FOLDER = 32
"""Style images to draw from."""
DRAWS = 200
"""Sets of references that are drawn of each size."""


def style(bench: Bench) -> Iterator[Knob]:
    """Distance to the style's folder and mated scores, over the number of references; then the law of 1 / n.

    The style's folder shows other fingers.
    """
    renders = bench.make("style", FOLDER, 1, SEED + 1, prompt={"sensor": "thermal"}, sampling={"model": "virtual"})
    folder = _written(renders, bench.work / "style-images")
    yield _looks(bench, renders, folder)
    yield _variance(bench, renders)


def _written(renders: Seen, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(renders.images):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return folder


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


def _variance(bench: Bench, renders: Seen) -> Knob:
    """n var(mean of n) / var(mean of 1): 1 where references are averaged as they should be."""
    embedded = _embedded(load_model(bench.model, dtype=torch.float32), renders)
    rng, counts = np.random.default_rng(0), (1, 2, 4, 8)
    spread = [law(embedded, count, DRAWS, rng) for count in counts]
    ratios = [count * own / spread[0] for count, own in zip(counts, spread, strict=True)]
    return Knob(
        "references",
        f"Variance over draws of n references, times n, over that of one ({DRAWS} draws of {len(embedded)} images)",
        ("n", *map(str, counts)),
        [("n x variance(n) / variance(1)", *(f"{ratio:.2f}" for ratio in ratios))],
        setting="n, references averaged",
        axis="n x variance(n) / variance(1)",
        at=[str(count) for count in counts],
        curves={"embedded style": ratios},
    )


@torch.inference_mode()
def _embedded(model: Model, renders: Seen) -> np.ndarray:
    """(images, width): what the IP-Adapter is given of each."""
    blank = {name: torch.zeros(64, 64) for name in model.denoiser.planes}
    styles = [Style("style", torch.from_numpy(image)) for image in renders.images]
    asked = [Conditioning(planes=blank, prompt="", styles=(one,)) for one in styles]
    return model.denoiser.tell(batched(asked, model.denoiser.planes)).style[:, 0].float().cpu().numpy()


def law(points: np.ndarray, count: int, draws: int, rng: np.random.Generator) -> float:
    """Variance, summed over the coordinates, of the mean of `count` points drawn with replacement."""
    means = np.stack([points[rng.integers(len(points), size=count)].mean(0) for _ in range(draws)])
    return float(means.var(0).sum())
