"""Does a dataset repeat the images that its model was trained on? The nearest training image of each image.

By bozorth3 where there are judges, else by the embedding. Where that makes too many comparisons for bozorth3, each
image is compared with those training images that the embedding finds most alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fpsynth.errors import UserError
from fpsynth.inspect.measure.comparisons import Comparer
from fpsynth.inspect.measure.likeness import identities, nearest
from fpsynth.inspect.measure.matching import Scores
from fpsynth.inspect.measure.record import Record

MOST = 200_000
"""Comparisons by bozorth3 at most."""
FEWEST = 5
"""Training images at least that each image is compared with."""
PERCENTILE = 99.9
SHOWN = 20
"""Flagged images that are listed."""


class Nearest(NamedTuple):
    """The matcher; for each image the number of its nearest training image and their score; comparisons of each."""

    matcher: str
    image: np.ndarray
    score: np.ndarray
    compared: int


@dataclass(frozen=True)
class NearestScores:
    """Scores of the nearest training images."""

    median: float
    most: float


@dataclass(frozen=True)
class Repeat:
    """An image and the training image that it may repeat."""

    image: str
    training_image: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """Nearest training images: their scores, how many are above the threshold, and the first of those.

    compared_with_each: training images that each image was compared with.
    """

    matcher: str
    images: int
    training_images: int
    compared_with_each: int
    threshold: float
    nearest: NearestScores
    flagged: int
    expected_by_chance: float
    listed: Sequence[Repeat]


def privacy(
    records: Sequence[Record], training: Sequence[Record], scores: Scores | None, comparer: Comparer | None
) -> Privacy:
    """Figures of the nearest training image of each image, and which are nearer than strangers' fingers usually are.

    scores: of the dataset, by the same matcher; comparer: None for the embedding. The threshold is the 99.9th
    percentile of the dataset's own non-mated scores. A score above it comes by chance too, once in a thousand
    comparisons: expected_by_chance says how many flags that makes. Raises UserError without non-mated scores, or
    without training images that can be compared.
    """
    ours, theirs = ([r for r in own if _usable(r, comparer)] for own in (records, training))
    if scores is None or not len(scores.non_mated):
        raise UserError("--training needs images of two fingers or more")
    if not theirs:
        raise UserError("--training: none of the training images can be compared")
    found = _by_embedding(ours, theirs) if comparer is None else _by_bozorth3(ours, theirs, comparer)
    threshold = float(np.percentile(scores.non_mated, PERCENTILE))
    flagged = np.flatnonzero(found.score > threshold)
    order = flagged[np.argsort(-found.score[flagged], kind="stable")]
    return Privacy(
        matcher=found.matcher,
        images=len(ours),
        training_images=len(theirs),
        compared_with_each=found.compared,
        threshold=round(threshold, 3),
        nearest=NearestScores(round(float(np.median(found.score)), 3), round(float(found.score.max()), 3)),
        flagged=len(flagged),
        expected_by_chance=round(len(ours) * (1 - (PERCENTILE / 100) ** len(theirs)), 1),
        listed=[
            Repeat(ours[i].name, theirs[found.image[i]].name, round(float(found.score[i]), 3)) for i in order[:SHOWN]
        ],
    )


def _usable(record: Record, comparer: Comparer | None) -> bool:
    return (record.print if comparer is None else record.judged) is not None


def _by_embedding(ours: Sequence[Record], theirs: Sequence[Record]) -> Nearest:
    one, other = identities(ours), identities(theirs)
    image = nearest(one, other, 1)[:, 0]
    return Nearest("embedding", image, (one * other[image]).sum(1), len(theirs))


def _by_bozorth3(ours: Sequence[Record], theirs: Sequence[Record], comparer: Comparer) -> Nearest:
    """Every training image where they are few, else those that are nearest by the embedding."""
    count = min(len(theirs), max(FEWEST, MOST // len(ours)))
    likely = nearest(identities(ours), identities(theirs), count)
    templates = [r.judged.template for r in (*ours, *theirs) if r.judged is not None]
    pairs = [(i, len(ours) + int(k)) for i in range(len(ours)) for k in likely[i]]
    table = np.array(comparer.scores(templates, pairs)).reshape(len(ours), count)
    best = table.argmax(1)
    return Nearest("bozorth3", likely[np.arange(len(ours)), best], table.max(1), count)
