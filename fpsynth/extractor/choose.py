"""Which extractor is to be had here, and minutiae by the one that is named."""

from typing import Literal

import numpy as np

from fpsynth.extractor import mindtct
from fpsynth.extractor.match import Found

Extractor = Literal["mindtct", "skeleton"]
"""Who finds minutiae: NIST's extractor, or fpsynth's own."""


def chosen() -> Extractor:
    """NIST's where it can be used here, else fpsynth's own."""
    return "mindtct" if mindtct.available() else "skeleton"


def extract(extractor: Extractor, image: np.ndarray, ppi: float) -> list[Found]:
    """The extractor's minutiae of a grey image (height, width) uint8, pixels at 500 ppi."""
    if extractor == "mindtct":
        return mindtct.extract(image, ppi)
    from fpsynth.extractor import own  # torch is loaded only where it is used

    return own.extract(image, ppi)
