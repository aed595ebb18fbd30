"""One image: are the minutiae that it should have in it, and no others?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fpsynth.extractor import PPI, Extractor, chosen, compare, extract, mindtct
from fpsynth.gate.limits import Limits, limits_of
from fpsynth.minutiae import Minutia
from fpsynth.slots import Words

Word = Literal["passed", "failed", "unjudged"]
WORDS: tuple[Word, ...] = ("passed", "failed", "unjudged")
"""unjudged: there was no gate."""


@dataclass(frozen=True)
class Asked:
    """words: of the image. recall, spurious: limits, or None: what captures of these words can show."""

    words: Words = field(default_factory=dict)
    recall: float | None = None
    spurious: float | None = None

    def limits(self, minutiae: int, extractor: Extractor) -> Limits:
        """For an image of so many true minutiae and this extractor."""
        usual = limits_of(self.words, minutiae, extractor)
        return Limits(
            usual.recall if self.recall is None else self.recall,
            usual.spurious if self.spurious is None else self.spurious,
        )


@dataclass(frozen=True)
class Verdict:
    """The word, and what it rests on: share of the truth found, share of the found that is not true, by whom, and how
    much of each was asked."""

    verdict: Word
    recall: float | None = None
    spurious: float | None = None
    extractor: Extractor | None = None
    limits: Limits | None = None


def judge(
    image: np.ndarray, truth: Sequence[Minutia], contact: np.ndarray, ppi: float = 500, asked: Asked = Asked()
) -> Verdict:
    """Extract minutiae from image (height, width) uint8 and compare them with the truth, in the same pixels.

    contact (height, width) is 1 where skin touched. Passed with at least the recall and at most the share of spurious
    minutiae that are asked for, by mindtct; where it cannot be used, by fpsynth's own extractor.
    """
    extractor, scale = chosen(), PPI / ppi
    found = [f._replace(x=f.x / scale, y=f.y / scale) for f in extract(extractor, image, ppi)]
    tally, limits = compare(truth, found, contact, scale), asked.limits(len(truth), extractor)
    passed = tally.recall >= limits.recall and tally.spurious <= limits.spurious
    return Verdict("passed" if passed else "failed", tally.recall, tally.spurious, extractor, limits)


def notice() -> str | None:
    """That fpsynth's own extractor judges here, and why; None where NIST's does."""
    reason = mindtct.missing()
    if reason is None:
        return None
    own = "fpsynth's own extractor judges the images"
    return f"NIST's tools cannot be loaded ({reason}): {own}; {mindtct.REMEDY} bring them"
