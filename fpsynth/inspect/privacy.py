"""Does a dataset repeat the images that its model was trained on? The nearest training image of each, by bozorth3."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fpsynth.errors import UserError
from fpsynth.inspect.comparisons import Comparer
from fpsynth.inspect.matching import Scores
from fpsynth.inspect.record import Record

MOST = 200_000
"""Comparisons at most: with more, fewer images of the dataset are looked at, each against all training images."""
PERCENTILE = 99.9
SHOWN = 20
"""Flagged images that are listed."""


def privacy(
    records: Sequence[Record], training: Sequence[Record], scores: Scores | None, comparer: Comparer
) -> dict[str, Any]:
    """Figures of the nearest training image of each image, and which are nearer than strangers' fingers usually are.

    The threshold is the 99.9th percentile of the dataset's own non-mated scores. A score above it comes by chance too,
    once in a thousand comparisons: expected_by_chance says how many flags that makes. Raises UserError without
    non-mated scores or without training images that mindtct accepts.
    """
    ours, theirs = ([r for r in own if r.judged is not None] for own in (records, training))
    if scores is None or not len(scores.non_mated):
        raise UserError("--training needs judges, and images of two fingers or more")
    if not theirs:
        raise UserError("--training: mindtct accepts none of the training images")
    step = -(-len(ours) * len(theirs) // MOST)
    ours = ours[::step]
    nearest, best = _nearest(ours, theirs, comparer)
    threshold = float(np.percentile(scores.non_mated, PERCENTILE))
    flagged = np.flatnonzero(best > threshold)
    order = flagged[np.argsort(-best[flagged], kind="stable")]
    return {
        "images": len(ours),
        "training_images": len(theirs),
        "threshold": round(threshold, 1),
        "nearest": {"median": float(np.median(best)), "most": int(best.max())},
        "flagged": len(flagged),
        "expected_by_chance": round(len(ours) * (1 - (PERCENTILE / 100) ** len(theirs)), 1),
        "list": [
            {"image": ours[i].name, "training_image": theirs[nearest[i]].name, "score": int(best[i])}
            for i in order[:SHOWN]
        ],
    }


def _nearest(ours: Sequence[Record], theirs: Sequence[Record], comparer: Comparer) -> tuple[np.ndarray, np.ndarray]:
    """For each of ours, which of theirs matches it best, and the score."""
    templates = [r.judged.template for r in (*ours, *theirs) if r.judged is not None]
    pairs = [(i, len(ours) + k) for i in range(len(ours)) for k in range(len(theirs))]
    table = np.array(comparer.scores(templates, pairs)).reshape(len(ours), len(theirs))
    return table.argmax(1), table.max(1)
