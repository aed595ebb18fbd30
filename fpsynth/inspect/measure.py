"""What can be measured on one image without a judge: grey levels, foreground, ridge period."""

import hashlib
import io
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

WINDOW = 64
STEP = 32
SHORTEST, LONGEST = 4.0, 20.0
"""Ridge periods that are looked for, pixels at 500 ppi."""
EDGE = 11
"""Pixels by which the box of the local deviation widens a foreground (both sides together)."""
FLAT = 3.0
"""Grey levels: an image whose standard deviation is below this is blank."""


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
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("L"))


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


def at_500(image: np.ndarray, ppi: float) -> np.ndarray:
    """A grey image (height, width) at 500 ppi."""
    if ppi == 500:
        return image
    return cv2.resize(image, None, fx=500 / ppi, fy=500 / ppi, interpolation=cv2.INTER_AREA)


def _area(mask: np.ndarray) -> float:
    """mm2 of a mask at 500 ppi."""
    return float(mask.sum()) * (25.4 / 500) ** 2


def foreground(image: np.ndarray) -> np.ndarray:
    """Where there are ridges: (height, width) bool, by local deviation over two ridges, holes closed."""
    grey = image.astype(np.float32)
    mean, square = (cv2.boxFilter(plane, -1, (17, 17)) for plane in (grey, grey * grey))
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    threshold = max(8.0, 0.3 * float(np.percentile(deviation, 95)))
    mask = (deviation > threshold).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel)
    return cv2.erode(opened, np.ones((EDGE, EDGE), np.uint8)).astype(bool)


def block_periods(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The ridge period of every 64 x 64 block that lies in the foreground, pixels: the peak of its spectrum."""
    blocks = [
        image[y : y + WINDOW, x : x + WINDOW]
        for y in range(0, image.shape[0] - WINDOW + 1, STEP)
        for x in range(0, image.shape[1] - WINDOW + 1, STEP)
        if mask[y : y + WINDOW, x : x + WINDOW].mean() > 0.9
    ]
    if not blocks:
        return np.empty(0)
    stack = np.stack(blocks).astype(np.float32)
    window = np.outer(np.hanning(WINDOW), np.hanning(WINDOW)).astype(np.float32)
    power = np.abs(np.fft.rfft2((stack - stack.mean((1, 2), keepdims=True)) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(WINDOW)[:, None], np.fft.rfftfreq(WINDOW)[None])
    power = power * ((frequency > 1 / LONGEST) & (frequency < 1 / SHORTEST))
    return 1 / _peak(power, frequency)


def _peak(power: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """The mean frequency of the strongest bin of each block and its neighbours, weighted by their power."""
    flat = power.reshape(len(power), -1)
    best = frequency.ravel()[flat.argmax(1)]
    near = np.abs(frequency[None] - best[:, None, None]) < 1.5 / WINDOW
    weight = power * near
    return (weight * frequency).sum((1, 2)) / np.maximum(weight.sum((1, 2)), 1e-12)
