"""The figures of a dataset word by word: is it the dry prints that are not matched, or the capacitive ones?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fpsynth.extractor import Tally
from fpsynth.inspect.measure.matching import Scores, rates
from fpsynth.inspect.measure.record import Record
from fpsynth.slots import SLOTS

ENOUGH = 30
"""Mated comparisons below which an error rate would be chance."""


@dataclass(frozen=True, kw_only=True)
class WordFigures:
    """The images of one word. None: nobody measured it, or there are too few comparisons.

    images were looked at in depth; nfiq2: mean; minutiae found in an image: mean; recall and spurious: of the truth of
    all of them; mated: comparisons of two such images of one finger, their median score and their equal error rate
    against those of different fingers.
    """

    images: int
    nfiq2: float | None
    minutiae: float | None
    recall: float | None
    spurious: float | None
    mated: int
    mated_median: float | None
    eer: float | None


def breakdown(
    records: Sequence[Record], compared: Sequence[Record], scores: Scores | None
) -> Mapping[str, Mapping[str, WordFigures]]:
    """By slot, for slots of which the images say more than one word. compared: the records that scores count."""
    deep = [record for record in records if record.deep is not None]
    found = {}
    for slot in SLOTS:
        words = sorted({word for record in deep if (word := record.words.get(slot))}, key=SLOTS[slot].words.index)
        if len(words) > 1:
            found[slot] = {word: _figures(slot, word, deep, compared, scores) for word in words}
    return found


def _figures(
    slot: str, word: str, deep: Sequence[Record], compared: Sequence[Record], scores: Scores | None
) -> WordFigures:
    judged = [r.judged for r in deep if r.words.get(slot) == word and r.judged is not None]
    total = [sum(column) for column in zip(*(j.tally for j in judged if j.tally is not None), strict=True)]
    truth = Tally(*total) if total else None
    quality = [j.nfiq2 for j in judged if j.nfiq2 is not None]
    mated, non_mated = scores_of_word(slot, word, compared, scores)
    return WordFigures(
        images=sum(record.words.get(slot) == word for record in deep),
        nfiq2=round(float(np.mean(quality)), 1) if quality else None,
        minutiae=round(float(np.mean([j.found for j in judged])), 1) if judged else None,
        recall=round(truth.recall, 3) if truth else None,
        spurious=round(truth.spurious, 3) if truth else None,
        mated=len(mated),
        mated_median=round(float(np.median(mated)), 3) if len(mated) else None,
        eer=round(rates(mated, non_mated).eer, 4) if len(mated) >= ENOUGH and len(non_mated) else None,
    )


def scores_of_word(
    slot: str, word: str, compared: Sequence[Record], scores: Scores | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mated and non-mated scores of which both images say the word; none where nothing was compared."""
    if scores is None:
        return np.empty(0), np.empty(0)
    says = np.array([record.words.get(slot) == word for record in compared])
    mated, non_mated = (says[pairs].all(axis=1) for pairs in (scores.pairs.mated, scores.pairs.non_mated))
    return scores.mated[mated], scores.non_mated[non_mated]
