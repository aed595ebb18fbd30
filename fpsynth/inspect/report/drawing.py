"""Images of a report: thumbnails, and prints with their minutiae drawn."""

import io
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from fpsynth.extractor import PPI, Found, extract
from fpsynth.extractor.match import STRONG, pair
from fpsynth.extractor.ridges import foreground
from fpsynth.inspect.measure.record import Judged
from fpsynth.minutiae import Minutia

HIT, MISSED, EXTRA = (0, 160, 75), (240, 120, 0), (170, 50, 210)
"""Colours of minutiae: true and found, true and not found, found and not true."""
TRUE, FOUND = (220, 30, 60), (30, 110, 220)
"""True ones where nothing was extracted, found ones where there is no truth."""
RADIUS, TAIL, LINE = 8, 20, 3
BORDER = 16
"""Pixels that are left around a print."""


def jpeg(picture: Image.Image, quality: int = 82) -> bytes:
    """The picture as JPEG."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def thumbnail(image: np.ndarray, size: int = 220) -> bytes:
    """A grey image fitted into a square of this size, as JPEG."""
    picture = Image.fromarray(image)
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    return jpeg(picture)


class Mark(NamedTuple):
    """What is drawn at a minutia, in the pixels of the image; a shape of None is a cross without a direction."""

    x: float
    y: float
    angle: float
    shape: Literal["circle", "square"] | None
    colour: tuple[int, int, int]


def with_minutiae(
    image: np.ndarray, truth: Sequence[Minutia] | None, judged: Judged | None, ppi: float, size: int = 520
) -> bytes:
    """The print with its minutiae, and how the extractor sees them, as JPEG, cut to a square around the foreground."""
    marks = _marks(truth, _found(image, judged, ppi), judged, ppi)
    left, top, side = _square(image)
    part, square = image[top : top + side, left : left + side], np.full((side, side), 255, np.uint8)
    square[: part.shape[0], : part.shape[1]] = part
    picture = Image.fromarray(square).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
    pencil, scale = ImageDraw.Draw(picture), size / side
    for mark in marks:
        _draw(pencil, mark._replace(x=(mark.x - left) * scale, y=(mark.y - top) * scale))
    return jpeg(picture, 88)


def _square(image: np.ndarray) -> tuple[int, int, int]:
    """Left, top and side of a square around the foreground, inside the image where it fits; the image without one."""
    rows, columns = (np.flatnonzero(foreground(image).any(axis)) for axis in (1, 0))
    if not len(rows):
        return 0, 0, max(image.shape)
    side = min(int(max(np.ptp(rows), np.ptp(columns))) + 2 * BORDER, max(image.shape))
    left, top = ((int(own[0]) + int(own[-1]) - side) // 2 for own in (columns, rows))
    return max(min(left, image.shape[1] - side), 0), max(min(top, image.shape[0] - side), 0), side


def _marks(
    truth: Sequence[Minutia] | None, found: Sequence[Found], judged: Judged | None, ppi: float
) -> Iterator[Mark]:
    if truth is None:
        yield from (Mark(f.x, f.y, f.angle, "circle", FOUND) for f in found if f.reliability >= STRONG)
        return
    pairs = pair(truth, found, PPI / ppi)
    hits, paired = {i for i, _ in pairs}, {j for _, j in pairs}
    for number, m in enumerate(truth):
        colour = TRUE if judged is None else HIT if number in hits else MISSED
        yield Mark(m.x, m.y, m.angle, "circle" if m.kind == "ending" else "square", colour)
    for number, f in enumerate(found):
        if number not in paired and f.reliability >= STRONG:
            yield Mark(f.x, f.y, f.angle, None, EXTRA)


def _found(image: np.ndarray, judged: Judged | None, ppi: float) -> list[Found]:
    """The extractor's minutiae in the pixels of the image."""
    if judged is None:
        return []
    every = extract(judged.extractor, image, ppi)
    return [f._replace(x=f.x * ppi / PPI, y=f.y * ppi / PPI) for f in every]


def _draw(pencil: ImageDraw.ImageDraw, mark: Mark) -> None:
    x, y, angle, r = mark.x, mark.y, np.radians(mark.angle), RADIUS
    if mark.shape is None:
        pencil.line((x - r, y - r, x + r, y + r), fill=mark.colour, width=LINE)
        pencil.line((x - r, y + r, x + r, y - r), fill=mark.colour, width=LINE)
        return
    shape = pencil.ellipse if mark.shape == "circle" else pencil.rectangle
    shape((x - r, y - r, x + r, y + r), outline=mark.colour, width=LINE)
    start, end = ((x + far * np.cos(angle), y - far * np.sin(angle)) for far in (r, TAIL))
    pencil.line((*start, *end), fill=mark.colour, width=LINE)
