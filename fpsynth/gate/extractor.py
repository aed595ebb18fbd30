"""NIST's mindtct, through nbis-python (the extra `judges`).

Its angles were checked with planted minutiae (see the tests): they are those of ISO/IEC 19794-2, as are ours.
"""

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from fpsynth.gate.match import Found

PPI = 500
"""What NIST's tools were made for; images of another resolution are resampled to it."""

NOTICE = (
    "no image is judged: the extra 'judges' (nbis-python and the libraries it needs) is not installed; "
    "the rows say 'unjudged'"
)


@cache
def available() -> bool:
    """Whether NIST's tools can be used here."""
    try:
        import nbis  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


@cache
def extractor(quality: bool = False) -> Any:
    """An nbis extractor; with quality, its templates carry an NFIQ2 score."""
    import nbis

    return nbis.new_nbis_extractor(
        nbis.NbisExtractorSettings(
            min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=quality, ppi=float(PPI)
        )
    )


def at_500(image: np.ndarray, ppi: float) -> bytes:
    """The grey image (height, width) uint8 as a PNG at 500 ppi."""
    picture, buffer = Image.fromarray(image), io.BytesIO()
    if ppi != PPI:
        size = round(picture.width * PPI / ppi), round(picture.height * PPI / ppi)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    picture.save(buffer, "PNG", compress_level=1, dpi=(PPI, PPI))
    return buffer.getvalue()


def points(template: Any) -> list[Found]:
    """The minutiae of an nbis template, pixels at 500 ppi."""
    return [Found(m.x(), m.y(), m.angle(), m.reliability()) for m in template.get()]


def extract(image: np.ndarray, ppi: float) -> list[Found]:
    """mindtct's minutiae of a grey image, pixels at 500 ppi; none where mindtct refuses the image."""
    import nbis

    try:
        return points(extractor().extract_minutiae(at_500(image, ppi)))
    except nbis.NbisError:
        return []
