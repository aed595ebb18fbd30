"""The same rows by the model and by the virtual sensors it learnt from: does it iron, blur or hatch them?"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from fpsynth.slots import words_of
from knobs.sets import Bench, Knob, Seen, distance, distance_to_twin, even, percent

SENSORS = ("optical", "capacitive", "thermal")
CELL = 8
"""Pixels of a latent cell, the period of hatching."""
FINE = 0.8
"""Pixels: what is finer is grain."""


def rows(bench: Bench) -> Iterator[Knob]:
    """All qualities and skins; four captures of every finger."""
    table, pictures = [], []
    for sensor in SENSORS:
        prompt = {"sensor": sensor, "quality": even(words_of("quality")), "skin": even(words_of("skin"))}
        model = bench.make(f"rows-{sensor}", bench.count(16), 4, prompt=prompt)
        twin = bench.twin(f"rows-{sensor}", bench.count(16), 4, prompt=prompt)
        real = bench.references.get(sensor)
        seen = None if real is None else bench.look(real)
        table += [_row(sensor, "model", model, twin, seen), _row(sensor, "virtual", twin, None, seen)]
        pictures += [(sensor, np.vstack([one.images[place] for one in (model, twin)])) for place in (0, 5)]
    yield Knob(
        "rows",
        "The same rows by the model and by the virtual sensors; in the pictures the model is above",
        (
            *("sensor", "by", "to the renders", "to real prints", "NFIQ2, quartiles", "recall", "spurious"),
            *("EER", "mated median", "grain", "hatching"),
        ),
        table,
        pictures=pictures,
    )


def _row(sensor: str, by: str, ours: Seen, twin: Seen | None, real: Seen | None) -> tuple[str, ...]:
    scores, tally = ours.scores(), ours.tally
    return (
        sensor,
        by,
        "" if twin is None else f"{distance_to_twin(ours, twin):.2f}",
        "" if real is None else f"{distance(ours, real):.2f}",
        " to ".join(f"{value:.0f}" for value in np.quantile(ours.nfiq2, (0.25, 0.75))),
        percent(tally.recall),
        percent(tally.spurious),
        "" if scores is None else percent(scores.eer.value),
        "" if scores is None or scores.mated.scores is None else f"{scores.mated.scores.median:.0f}",
        f"{np.mean([grain(image) for image in ours.images]):.2f}",
        percent(hatching(ours.images)),
    )


def grain(image: np.ndarray) -> float:
    """Deviation of what is finer than the ridges, in grey levels."""
    whole = image.astype(np.float64)
    return float((whole - cv2.GaussianBlur(whole, None, FINE)).std())


def hatching(images: Sequence[np.ndarray]) -> float:
    """How unevenly steps from pixel to pixel lie in the cells of the latents: the deviation of their mean size over the
    places in a cell, by the mean of all; in the worse direction. 0: not at all (after the measure of blocking of Wang,
    Sheikh & Bovik, "No-reference perceptual quality assessment of JPEG compressed images", 2002)."""
    uneven = []
    for axis in (0, 1):
        steps = np.mean([_steps(image, axis) for image in images], 0)
        uneven.append(float(steps.std() / steps.mean()))
    return max(uneven)


def _steps(image: np.ndarray, axis: int) -> np.ndarray:
    """(8,): the mean size of the steps along an axis, by their place in a cell."""
    steps = np.abs(np.diff(image.astype(np.float64), axis=axis)).mean(1 - axis)
    return np.array([steps[place::CELL].mean() for place in range(CELL)])
