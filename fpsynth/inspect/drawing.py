"""Images of a report: thumbnails, and prints with their minutiae drawn."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from fpsynth.gate.extractor import PPI, extractor, points
from fpsynth.gate.match import STRONG, Found, pair
from fpsynth.inspect.record import Judged
from fpsynth.minutiae import Minutia

HIT, MISSED, EXTRA, PLAIN = (0, 150, 70), (230, 120, 0), (150, 60, 190), (200, 30, 60)
"""Colours of minutiae: true and found, true and not found, found and not true; true where nothing was extracted."""
RADIUS, TAIL = 5, 13


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


def with_minutiae(
    image: np.ndarray, minutiae: Sequence[Minutia], judged: Judged | None, ppi: float, size: int = 420
) -> bytes:
    """The image with its true minutiae, and how the extractor sees them, as JPEG: circles end, squares fork."""
    picture = Image.fromarray(image).convert("RGB")
    scale = size / max(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    pencil = ImageDraw.Draw(picture)
    found = _found(judged, ppi)
    pairs = pair(minutiae, found, PPI / ppi)
    hits, paired = {i for i, _ in pairs}, {j for _, j in pairs}
    for number, m in enumerate(minutiae):
        colour = PLAIN if judged is None else HIT if number in hits else MISSED
        _mark(pencil, m, m.kind == "ending", colour, scale)
    for number, f in enumerate(found):
        if number not in paired and f.reliability >= STRONG:
            _cross(pencil, f, scale)
    return jpeg(picture, 88)


def _found(judged: Judged | None, ppi: float) -> list[Found]:
    """The extractor's minutiae in the pixels of the image."""
    if judged is None:
        return []
    every = points(extractor().load_iso_19794_2_2005(judged.template))
    return [f._replace(x=f.x * ppi / PPI, y=f.y * ppi / PPI) for f in every]


def _mark(pencil: ImageDraw.ImageDraw, m: Minutia, ending: bool, colour: tuple[int, int, int], scale: float) -> None:
    x, y, angle = m.x * scale, m.y * scale, np.radians(m.angle)
    box = (x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS)
    (pencil.ellipse if ending else pencil.rectangle)(box, outline=colour, width=2)
    ahead = np.cos(angle), -np.sin(angle)
    start, end = ((x + r * ahead[0], y + r * ahead[1]) for r in (RADIUS, TAIL))
    pencil.line((*start, *end), fill=colour, width=2)


def _cross(pencil: ImageDraw.ImageDraw, f: Found, scale: float) -> None:
    x, y, r = f.x * scale, f.y * scale, RADIUS - 1
    pencil.line((x - r, y - r, x + r, y + r), fill=EXTRA, width=2)
    pencil.line((x - r, y + r, x + r, y - r), fill=EXTRA, width=2)
