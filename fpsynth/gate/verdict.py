"""One image: are the minutiae that it should have in it, and no others?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fpsynth.gate.extractor import PPI, available, extract
from fpsynth.gate.match import compare
from fpsynth.minutiae import Minutia

Word = Literal["passed", "failed", "unjudged"]
WORDS = ("passed", "failed", "unjudged")


@dataclass(frozen=True)
class Verdict:
    """The word, and what it rests on: share of the truth found, share of the found that is not true."""

    verdict: Word
    recall: float | None = None
    spurious: float | None = None


def judge(
    image: np.ndarray,
    truth: Sequence[Minutia],
    contact: np.ndarray,
    ppi: float = 500,
    recall: float = 0.85,
    spurious: float = 0.15,
) -> Verdict:
    """Extract minutiae from image (height, width) uint8 and compare them with the truth, in the same pixels.

    contact (height, width) is 1 where skin touched. Passed with at least this recall and at most this share of
    spurious minutiae; unjudged where the extractor is not installed.
    """
    if not available():
        return Verdict("unjudged")
    scale = PPI / ppi
    found = [f._replace(x=f.x / scale, y=f.y / scale) for f in extract(image, ppi)]
    tally = compare(truth, found, contact, scale)
    passed = tally.recall >= recall and tally.spurious <= spurious
    return Verdict("passed" if passed else "failed", tally.recall, tally.spurious)
