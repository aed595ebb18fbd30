"""What can be measured on one image without a judge: grey levels, foreground, ridge period."""

import hashlib
import io
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from fpsynth.extractor.ridges import at_500, block_periods, foreground
from fpsynth.grey import grey_levels

FLAT = 3.0
"""Grey levels: an image whose standard deviation is below this is blank."""

FORMATS = ("PNG", "TIFF", "BMP", "PPM", "JPEG")
"""What fingerprints come in. Formats that are programs (PostScript, PDF) are not opened."""


class Light(NamedTuple):
    """Measured on every image: size, grey mean and deviation, a digest of the pixels."""

    width: int
    height: int
    mean: float
    deviation: float
    pixels: str

    @property
    def blank(self) -> bool:
        """Whether nothing is on the image."""
        return self.deviation < FLAT


class Deep(NamedTuple):
    """Measured on a sample: foreground in mm2 and as a share, ridge period and its spread (quartiles) at 500 ppi."""

    area: float
    share: float
    period: float | None
    spread: float | None


def decode(encoded: bytes) -> np.ndarray:
    """The grey image (height, width) uint8. Raises OSError or ValueError for bytes that are no whole image."""
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            return grey_levels(image)
    except UnidentifiedImageError:
        raise ValueError("of no known format") from None
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from None


def light(image: np.ndarray) -> Light:
    """Size, grey levels and a digest of the pixels."""
    mean, deviation = cv2.meanStdDev(image)
    height, width = image.shape
    digest = hashlib.sha256(image.tobytes()).hexdigest()[:32]
    return Light(width, height, float(mean[0, 0]), float(deviation[0, 0]), digest)


def deep(image: np.ndarray, ppi: float) -> Deep:
    """Foreground and ridge period."""
    image = at_500(image, ppi)
    mask = foreground(image)
    periods = block_periods(image, mask)
    if not len(periods):
        return Deep(_area(mask), float(mask.mean()), None, None)
    low, middle, high = np.percentile(periods, (25, 50, 75))
    return Deep(_area(mask), float(mask.mean()), float(middle), float(high - low))


def _area(mask: np.ndarray) -> float:
    """mm2 of a mask at 500 ppi."""
    return float(mask.sum()) * (25.4 / 500) ** 2
