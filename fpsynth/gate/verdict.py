"""One image: are the minutiae that it should have in it, and no others?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fpsynth.extractor import PPI, Extractor, chosen, compare, extract, mindtct
from fpsynth.minutiae import Minutia

Word = Literal["passed", "failed", "unjudged"]
WORDS = ("passed", "failed", "unjudged")
"""unjudged: there was no gate."""

OWN_ALLOWANCE = 0.15
"""fpsynth's own extractor finds fewer of the true minutiae (on virtual prints .86 of them, mindtct .92), so that much
less recall passes: of 32 images it then gives the verdict of mindtct for 28, with the same limit for 18."""


@dataclass(frozen=True)
class Verdict:
    """The word, and what it rests on: share of the truth found, share of the found that is not true, and by whom."""

    verdict: Word
    recall: float | None = None
    spurious: float | None = None
    extractor: Extractor | None = None


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
    spurious minutiae, by mindtct; where it cannot be used fpsynth's own extractor judges, with a lower recall.
    """
    extractor, scale = chosen(), PPI / ppi
    found = [f._replace(x=f.x / scale, y=f.y / scale) for f in extract(extractor, image, ppi)]
    tally = compare(truth, found, contact, scale)
    least = recall if extractor == "mindtct" else recall - OWN_ALLOWANCE
    passed = tally.recall >= least and tally.spurious <= spurious
    return Verdict("passed" if passed else "failed", tally.recall, tally.spurious, extractor)


def notice() -> str | None:
    """That fpsynth's own extractor judges here, and why; None where NIST's does."""
    reason = mindtct.missing()
    if reason is None:
        return None
    own = "fpsynth's own extractor judges the images"
    return f"NIST's tools cannot be loaded ({reason}): {own}; {mindtct.REMEDY} bring them"
