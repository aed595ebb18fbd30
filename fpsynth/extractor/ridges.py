"""Where the ridges of an image are, and how far apart."""

import cv2
import numpy as np
from PIL import Image

from fpsynth.grey import rescaled

WINDOW = 64
STEP = 32
PERIOD = 9.0
"""Pixels at 500 ppi: the ridge period that is taken where none can be measured."""
SHORTEST, LONGEST = 4.0, 20.0
"""Ridge periods that are looked for, pixels at 500 ppi."""
LEAST_PPI = 150
EDGE = 11
"""Pixels by which the box of the local deviation widens a foreground (both sides together)."""


def stated_ppi(picture: Image.Image) -> float | None:
    """The resolution that an opened picture says, where a print can have it: 72 and 96 are a screen's."""
    said = float(picture.info.get("dpi", (0, 0))[0])
    return said if said >= LEAST_PPI else None


def at_500(image: np.ndarray, ppi: float) -> np.ndarray:
    """A grey image (height, width) at 500 ppi."""
    return rescaled(image, 500 / ppi)


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
    mean: np.ndarray = (weight * frequency).sum((1, 2)) / np.maximum(weight.sum((1, 2)), 1e-12)
    return mean
