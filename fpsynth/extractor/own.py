"""fpsynth's own minutiae extractor: see the ridges, thin them, read them.

The ridges are seen by a network that has learnt them off virtual prints (see extractor.network), and read as those of
our own fingers are, by the crossing numbers of what thinning leaves.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from skimage.morphology import remove_small_objects

from fpsynth.extractor.match import Found
from fpsynth.extractor.network import MULTIPLE, STEEP, default_extractor, load_network
from fpsynth.extractor.ridges import at_500
from fpsynth.finger.skeleton import read_minutiae
from fpsynth.minutiae import Minutia

RIM = 2
"""Pixels at 500 ppi: ridges end at the edge of the contact, so nothing is read so near to it."""
NEAR = 6.0
"""Pixels: the surroundings (standard deviation) whose certainty is that of a minutia."""
SPECK = 2500
"""Pixels: contact that covers no more is none."""


@dataclass(frozen=True)
class Seen:
    """What is seen of a print, (H, W) float32 each: wave in [-1, 1], positive on ridges; contact in [0, 1]; trust in
    [0, 1], how sure it is of ridges and valleys around a pixel."""

    wave: np.ndarray
    contact: np.ndarray
    trust: np.ndarray

    @cached_property
    def mask(self) -> np.ndarray:
        """Where skin touched, (H, W) bool; no specks."""
        mask: np.ndarray = remove_small_objects(self.contact > 0.5, max_size=SPECK)
        return mask

    def padded(self, below: int, right: int) -> "Seen":
        """With so many rows and columns more, in which nothing touched."""
        return Seen(*(np.pad(plane, [(0, below), (0, right)]) for plane in (self.wave, self.contact, self.trust)))


def extract(image: np.ndarray, ppi: float) -> list[Found]:
    """Minutiae of a grey image (height, width) uint8 with dark ridges, pixels at 500 ppi."""
    return [Found(m.x, m.y, m.angle, m.quality / 100) for m in minutiae_of(see(at_500(image, ppi)))]


def minutiae_of(seen: Seen) -> tuple[Minutia, ...]:
    """The minutiae in what is seen; their quality is the trust in it there, in hundredths."""
    if not seen.mask.any():
        return ()
    inside, trust = inner(seen.mask, RIM), seen.trust * 100
    there = (m for m in read_minutiae(seen.wave) if inside[int(m.y), int(m.x)])
    return tuple(m._replace(quality=round(float(trust[int(m.y), int(m.x)]))) for m in there)


def inner(mask: np.ndarray, rim: int) -> np.ndarray:
    """A mask (H, W) bool without so many pixels at its edge."""
    side = 2 * rim + 1
    return cv2.erode(mask.astype(np.uint8), np.ones((side, side), np.uint8), borderValue=0) > 0


@torch.inference_mode()
def see(image: np.ndarray) -> Seen:
    """The ridges in an image (H, W) uint8 at 500 ppi, ridges dark."""
    height, width = image.shape
    whole = cv2.copyMakeBorder(image, 0, -height % MULTIPLE, 0, -width % MULTIPLE, cv2.BORDER_REPLICATE)
    odds = load_network(default_extractor())(torch.from_numpy(whole).float()[None, None])[0, :, :height, :width]
    ridge, contact = odds[0].numpy(), torch.sigmoid(odds[1]).numpy()
    sure = cv2.GaussianBlur(np.tanh(ridge / 2) ** 2, (0, 0), NEAR)
    return Seen(np.clip(ridge / (2 * STEEP), -1, 1), contact, contact * sure)


def orientation(wave: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Along the ridges, in radians counter-clockwise from +x with y up; and its coherence in [0, 1].

    The structure tensor, smoothed (Bigun & Granlund, "Optimal orientation detection of linear symmetry", ICCV 1987).
    """
    dx, dy = cv2.Sobel(wave, cv2.CV_32F, 1, 0), -cv2.Sobel(wave, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(plane, (0, 0), sigma) for plane in (dx * dx, dy * dy, dx * dy))
    angle = np.arctan2(2 * xy, xx - yy) / 2 + np.pi / 2
    return angle.astype(np.float32), np.hypot(xx - yy, 2 * xy) / np.maximum(xx + yy, 1e-6)
