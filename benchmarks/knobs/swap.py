"""Every finger in every style: does the look come from the style image, and from it alone?

The swap test of FPGAN-Control (Shoshan et al., "FPGAN-Control: a controllable fingerprint generator for training with
synthetic data", WACV 2024).
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from scipy.stats import mannwhitneyu

from fpsynth.inspect.measure.likeness import identities, textures
from fpsynth.slots import words_of
from knobs.sets import SEED, Bench, Knob, Seen

FINGERS, STYLES = 30, 10


def swap(bench: Bench) -> Iterator[Knob]:
    """The area under the ROC curve of telling the style by the texture, and the finger by the embedding."""
    fingers, styles = bench.count(FINGERS), bench.count(STYLES)
    sensors = {word: 1 / len(words_of("sensor")) for word in words_of("sensor")}
    looks = bench.make("swap", styles, 1, SEED + 2, prompt={"sensor": sensors}, sampling={"model": "virtual"})
    folder = bench.files("swap", looks)
    made = [
        bench.make(f"swap-{k}", fingers, 1, prompt={"sensor": None}, style={"images": str(folder / f"{k:02}.png")})
        for k in range(styles)
    ]
    appearance, identity = areas(made)
    yield Knob(
        "swap",
        f"{fingers} fingers in the look of {styles} style images each, no sensor said",
        ("told apart", "by", "area under the ROC curve"),
        [("style", "texture", f"{appearance:.3f}"), ("finger", "embedding", f"{identity:.3f}")],
        pictures=[(f"style {k}", np.vstack([looks.images[k], *one.images[:2]])) for k, one in enumerate(made)],
    )


def areas(made: Sequence[Seen]) -> tuple[float, float]:
    """Of appearance and of identity: pairs of one style (finger) against pairs of two; sets show the same fingers."""
    records = [record for one in made for record in one.records]
    style = np.array([k for k, one in enumerate(made) for _ in one.records])
    finger = np.array([record.identity for record in records])
    looks, prints = textures(records), identities(records)
    near = -np.linalg.norm(looks[:, None] - looks[None], axis=2)
    pairs = np.array([(a, b) for a, b in product(range(len(records)), repeat=2) if a < b])
    a, b = pairs.T
    other_finger, other_style = finger[a] != finger[b], style[a] != style[b]
    return (
        _area(near[a, b][other_finger], ~other_style[other_finger]),
        _area((prints @ prints.T)[a, b][other_style], ~other_finger[other_style]),
    )


def _area(likeness: np.ndarray, same: np.ndarray) -> float:
    found = mannwhitneyu(likeness[same], likeness[~same])
    return float(found.statistic) / (int(same.sum()) * int((~same).sum()))
