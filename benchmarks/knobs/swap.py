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
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def swap(bench: Bench) -> Iterator[Knob]:
    """The areas under the ROC curves of telling the style by texture and by tone, and the finger by the embedding."""
    fingers, styles = bench.count(FINGERS), bench.count(STYLES)
    sensors = {word: 1 / len(words_of("sensor")) for word in words_of("sensor")}
    looks = bench.make("swap", styles, 1, SEED + 2, prompt={"sensor": sensors}, sampling={"model": "virtual"})
    folder = bench.files("swap", looks)
    made = [
        bench.make(f"swap-{k}", fingers, 1, prompt={"sensor": None}, style={"images": str(folder / f"{k:02}.png")})
        for k in range(styles)
    ]
    texture, tone, identity = areas(made)
    yield Knob(
        "swap",
        f"{fingers} fingers in the look of {styles} style images each, no sensor said",
        ("told apart", "by", "area under the ROC curve"),
        [
            ("style", "texture", f"{texture:.3f}"),
            ("style", "grey levels", f"{tone:.3f}"),
            ("finger", "embedding", f"{identity:.3f}"),
        ],
        pictures=[(f"style {k}", np.vstack([looks.images[k], *one.images[:2]])) for k, one in enumerate(made)],
    )


def areas(made: Sequence[Seen]) -> tuple[float, float, float]:
    """Of texture (which knows no contrast), of grey levels, and of identity: pairs of one against pairs of two.

    Sets show the same fingers.
    """
    records = [record for one in made for record in one.records]
    style = np.array([k for k, one in enumerate(made) for _ in one.records])
    finger = np.array([record.identity for record in records])
    tones = np.array([np.quantile(image, QUANTILES) for one in made for image in one.images])
    looks, prints = (_nearness(textures(records)), _nearness(tones)), identities(records)
    pairs = np.array([(a, b) for a, b in product(range(len(records)), repeat=2) if a < b])
    a, b = pairs.T
    other_finger, other_style = finger[a] != finger[b], style[a] != style[b]
    return (
        *(_area(near[a, b][other_finger], ~other_style[other_finger]) for near in looks),
        _area((prints @ prints.T)[a, b][other_style], ~other_finger[other_style]),
    )


def _nearness(vectors: np.ndarray) -> np.ndarray:
    near: np.ndarray = -np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    return near


def _area(likeness: np.ndarray, same: np.ndarray) -> float:
    found = mannwhitneyu(likeness[same], likeness[~same])
    return float(found.statistic) / (int(same.sum()) * int((~same).sum()))
