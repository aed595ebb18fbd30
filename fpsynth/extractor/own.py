"""fpsynth's own minutiae extractor, for where NIST's cannot be used: enhance the ridges, thin them, read them.

Orientation from the smoothed structure tensor (Bigun & Granlund, "Optimal orientation detection of linear symmetry",
ICCV 1987); filtering along it as in Hong, Wan & Jain, "Fingerprint image enhancement" (PAMI 1998), but with the
steerable filter that our own fingers are grown with; crossing numbers of the thinned ridges.
"""

import cv2
import numpy as np
import torch

from fpsynth.extractor.match import Found
from fpsynth.extractor.ridges import at_500, block_periods, foreground
from fpsynth.finger.ridges import enhance
from fpsynth.finger.skeleton import read_minutiae

SCALE = 2
"""Ridges are enhanced at 500 / SCALE ppi, which a ridge period of 9 pixels allows, and thinned at 500."""
PERIOD = 9.0
"""Pixels at 500 ppi: the ridge period that is taken where none can be measured."""
ROUNDS = 2
"""The second takes its orientation from what the first enhanced."""
WINDOW = 0.45
"""Standard deviation of the structure tensor's window, in ridge periods of the enhanced scale."""
RIM = 8
"""Pixels at 500 ppi: ridges end at the edge of the foreground, so nothing is read so near to it."""


def extract(image: np.ndarray, ppi: float) -> list[Found]:
    """Minutiae of a grey image (height, width) uint8 with dark ridges, pixels at 500 ppi."""
    image = at_500(image, ppi)
    mask = foreground(image)
    if not mask.any():
        return []
    wave, reliability = ridge_wave(image, mask)
    inside = cv2.erode(mask.astype(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8), borderValue=0)
    return [
        Found(m.x, m.y, m.angle, float(reliability[int(m.y), int(m.x)]))
        for m in read_minutiae(wave)
        if inside[int(m.y), int(m.x)]
    ]


def ridge_wave(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The enhanced ridges, positive on them, and how far they can be relied on in [0, 1], both (height, width).

    Reliable is where the image runs in one direction (coherence) and where the enhanced ridges resemble it.
    """
    height, width = image.shape
    periods = block_periods(image, mask)
    period = (float(np.median(periods)) if len(periods) else PERIOD) / SCALE
    small = cv2.resize(image, (-(-width // SCALE), -(-height // SCALE)), interpolation=cv2.INTER_AREA)
    flat = _flatten(small, period)
    angle, coherence = orientation(flat, WINDOW * period * SCALE)
    wave = _enhanced(flat, angle, period)
    for _ in range(ROUNDS - 1):
        wave = _enhanced(flat, orientation(wave, WINDOW * period * SCALE)[0], period)
    reliability = np.clip(coherence * _likeness(flat, wave, period), 0, 1)
    return cv2.resize(wave, (width, height), interpolation=cv2.INTER_CUBIC), cv2.resize(reliability, (width, height))


def _flatten(grey: np.ndarray, period: float) -> np.ndarray:
    """The image as a wave about 0, positive on dark ridges, of the same deviation everywhere."""
    level = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.5 * period) - grey
    deviation = np.sqrt(cv2.GaussianBlur(level * level, (0, 0), 1.5 * period))
    wave: np.ndarray = np.tanh(level / np.maximum(deviation, 2.0))
    return wave


def orientation(wave: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Along the ridges, in radians counter-clockwise from +x with y up; and its coherence in [0, 1]."""
    dx, dy = cv2.Sobel(wave, cv2.CV_32F, 1, 0), -cv2.Sobel(wave, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(plane, (0, 0), sigma) for plane in (dx * dx, dy * dy, dx * dy))
    angle = np.arctan2(2 * xy, xx - yy) / 2 + np.pi / 2
    return angle.astype(np.float32), np.hypot(xx - yy, 2 * xy) / np.maximum(xx + yy, 1e-6)


def _enhanced(wave: np.ndarray, angle: np.ndarray, period: float) -> np.ndarray:
    return enhance(torch.from_numpy(wave), torch.from_numpy(angle), period).numpy()


def _likeness(a: np.ndarray, b: np.ndarray, sigma: float) -> np.ndarray:
    """The local correlation of two waves about 0."""
    aa, bb, ab = (cv2.GaussianBlur(plane, (0, 0), sigma) for plane in (a * a, b * b, a * b))
    correlation: np.ndarray = ab / np.sqrt(np.maximum(aa * bb, 1e-12))
    return correlation
