"""NIST's mindtct, through nbis-python (the extra `judges`).

Its angles were checked with planted minutiae (see the tests): they are those of ISO/IEC 19794-2, as are ours.
"""

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from fpsynth.extractor.match import PPI, Found

SHORTEST = 28
"""Bytes of a record with a view in it."""
REMEDY = (
    "the extra 'judges' and the libraries that it needs (on Debian 12: apt-get install libopencv-core406 "
    "libopencv-imgproc406 libopencv-ml406)"
)
"""What brings NIST's tools."""


@cache
def missing() -> str | None:
    """Why NIST's tools cannot be used here, in one line; None where they can."""
    try:
        import nbis  # noqa: F401
    except (ImportError, OSError) as error:
        return " ".join(str(error).split())
    return None


def available() -> bool:
    """Whether NIST's tools can be used here."""
    return missing() is None


@cache
def extractor(quality: bool = False) -> Any:
    """An nbis extractor; with quality, its templates carry an NFIQ2 score."""
    import nbis

    return nbis.new_nbis_extractor(
        nbis.NbisExtractorSettings(
            min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=quality, ppi=float(PPI)
        )
    )


def load(template: bytes) -> Any | None:
    """A template from nbis's own bytes; None for one without minutiae, which nbis writes as a header and reads not."""
    return extractor().load_iso_19794_2_2005(template) if len(template) >= SHORTEST else None


def png_at_500(image: np.ndarray, ppi: float) -> bytes:
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
        return points(extractor().extract_minutiae(png_at_500(image, ppi)))
    except nbis.NbisError:
        return []
