"""A print from a file: its pixels at 500 ppi, and what the program sees in it."""

from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from fpsynth.errors import UserError
from fpsynth.extractor.own import Seen, minutiae_of, see
from fpsynth.extractor.ridges import at_500, stated_ppi
from fpsynth.grey import grey_levels
from fpsynth.impression import CaptureSettings, Impression
from fpsynth.minutiae import Minutia
from fpsynth.sensor.touch import USUAL

MASTER_PPI = 500
SMALLEST, LARGEST = 64, 4096
"""Pixels along a side of a picture at 500 ppi."""
NEAR = 10.0
"""Pixels: the surroundings in which ridges are dark, a little more than one of them."""
FAINT, STRONG = 8.0, 1.6
"""Grey levels that at least count as the spread of a print; spreads from the mean that at most do."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """original (h, w) uint8 as it was; ppi of it; image (H, W) uint8 at 500 ppi, its border repeated to the right and
    below; size (height, width) of it without that border; seen: its ridges."""

    path: Path
    original: np.ndarray
    ppi: float
    image: np.ndarray
    size: tuple[int, int]
    seen: Seen

    @property
    def contact(self) -> np.ndarray:
        """(H, W) float32 in [0, 1], 0 off the mask."""
        contact: np.ndarray = self.seen.contact * self.seen.mask
        return contact

    @cached_property
    def minutiae(self) -> tuple[Minutia, ...]:
        """As fpsynth's own extractor finds them, in pixels of `image`. They are no truth."""
        return minutiae_of(self.seen)

    def back(self, drawn: np.ndarray, kept: np.ndarray | None = None) -> np.ndarray:
        """An image like `image` in the size of the original, whose pixels it has where they are kept (H, W)."""
        out = _resized(drawn[: self.size[0], : self.size[1]], self.original.shape)
        if kept is None:
            return out
        held = _resized(kept[: self.size[0], : self.size[1]].astype(np.uint8), self.original.shape)
        return np.where(held > 0, self.original, out)


def read_picture(path: Path, ppi: float) -> Picture:
    """A grey or coloured picture with dark ridges. ppi: where it does not say its own.

    Raises UserError for what is no image, of a size that no print has, or without ridges.
    """
    try:
        content = path.read_bytes()
    except OSError:
        raise UserError(f"{path}: not an image that can be read") from None
    return decoded_picture(content, path, ppi)


def decoded_picture(content: bytes, path: Path, ppi: float) -> Picture:
    """The same from an image file's content; path is its name."""
    try:
        with Image.open(BytesIO(content)) as opened:
            resolution, original = stated_ppi(opened) or ppi, grey_levels(opened)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise UserError(f"{path}: not an image that can be read") from None
    return picture_of(original, resolution, path)


def picture_of(original: np.ndarray, ppi: float, path: Path) -> Picture:
    """The same from grey levels (h, w) uint8."""
    height, width = (round(side * 500 / ppi) for side in original.shape)
    if not all(SMALLEST <= side <= LARGEST for side in (height, width)):
        text = f"{width} x {height} pixels at 500 ppi: sides of {SMALLEST} to {LARGEST} are needed"
        raise UserError(f"{path}: {text}")
    image = at_500(original, ppi)
    seen = see(image)
    if not seen.mask.any():
        raise UserError(f"{path}: no ridges were found in it; is the resolution ({ppi:.0f} ppi) right?")
    return Picture(path=path, original=original, ppi=ppi, image=image, size=image.shape, seen=seen)


def padded(picture: Picture, multiple: int) -> Picture:
    """With sides that are multiples of so many pixels."""
    below, right = (-side % multiple for side in picture.image.shape)
    image = np.pad(picture.image, [(0, below), (0, right)], mode="edge")
    return replace(picture, image=image, seen=picture.seen.padded(below, right))


def _resized(plane: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if plane.shape == shape:
        return plane
    how = cv2.INTER_AREA if plane.shape[0] > shape[0] else cv2.INTER_CUBIC
    return cv2.resize(plane, (shape[1], shape[0]), interpolation=how)


def impression_of(picture: Picture) -> Impression:
    """The picture as if it were a capture: its ridges, its own breaks and bridges, of usual pressure and moisture."""
    uneven = (_relief(picture.image) - picture.seen.wave) / USUAL["rough"] * picture.contact
    return sketched(picture.seen.wave, picture.contact, uneven, picture.minutiae)


def _relief(image: np.ndarray) -> np.ndarray:
    """(H, W) float32: how dark a print is beside its surroundings, about 1 on ridges and -1 in valleys."""
    grey = image.astype(np.float32)
    mean = cv2.GaussianBlur(grey, (0, 0), NEAR)
    spread = np.sqrt(cv2.GaussianBlur((grey - mean) ** 2, (0, 0), NEAR))
    dark: np.ndarray = np.clip((mean - grey) / np.maximum(spread, FAINT), -STRONG, STRONG)
    return dark


def sketched(
    ridges: np.ndarray, contact: np.ndarray, asperities: np.ndarray, minutiae: tuple[Minutia, ...]
) -> Impression:
    """Planes (H, W) float32 (see Impression) as an impression; its skin lies as the image does."""
    height, width = ridges.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    nothing = torch.zeros(height, width)
    return Impression(
        settings=CaptureSettings(width=width, height=height),
        ridges=torch.from_numpy(ridges),
        detail=nothing,
        contact=torch.from_numpy(contact),
        pressure=torch.full_like(nothing, 0.5),
        moisture=nothing,
        wear=nothing,
        asperities=torch.from_numpy(asperities),
        droplets=nothing,
        flow=torch.stack([x, y], -1).float(),
        master=(height, width),
        minutiae=minutiae,
        singular=(),
        parameters={},
    )
