"""A finger that exists: what a minutiae file or a print says of it, laid on a master, and rebuilt."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from fpsynth.errors import UserError
from fpsynth.extractor.own import Seen, inner, orientation, see
from fpsynth.extractor.ridges import PERIOD, at_500, block_periods, stated_ppi
from fpsynth.finger import MASTER_HEIGHT, MASTER_PPI, MASTER_WIDTH, Finger
from fpsynth.finger.finger import HALF
from fpsynth.finger.pattern import CORE
from fpsynth.finger.rebuild import Directions, Known, rebuild
from fpsynth.finger.skeleton import MARGIN, read_minutiae
from fpsynth.grey import grey_levels
from fpsynth.minutiae import Minutia, SingularPoint
from fpsynth.minutiae.template import read_template
from fpsynth.recipe.schema import SourcePart

MIDDLE = CORE[0], CORE[1] + 40
"""Master pixels: where the middle of a print without a core is laid."""
SPACING = 8
"""Pixels at 500 ppi between the directions that are taken from a print."""
RIM, END = 3, 12
"""Pixels at 500 ppi: so near to a print's edge its ridges are not trusted; nor, farther in, that they end there."""


def rebuilt(path: Path, source: SourcePart, rng: np.random.Generator, position: int) -> Finger:
    """The finger of a file. Raises UserError for one in which there is no finger."""
    known = from_template(path) if source.kind == "minutiae" else from_print(path, source.ppi)
    return rebuild(known, rng, position)


def from_template(path: Path) -> Known:
    """What the first view of a minutiae file says. Raises UserError where none of it lies on a fingertip."""
    record = read_template(path)
    view, scale = record.views[0], MASTER_PPI / record.ppi
    minutiae = [m._replace(x=m.x * scale, y=m.y * scale) for m in view.minutiae]
    cores = [p._replace(x=p.x * scale, y=p.y * scale) for p in view.singular if p.kind == "core"]
    dx, dy = _shift([(m.x, m.y) for m in minutiae], cores)
    moved = (m._replace(x=m.x + dx, y=m.y + dy) for m in minutiae)
    laid = tuple(m for m in moved if _on_master(m))
    if not laid:
        raise UserError(f"{path}: no minutiae that could be of one fingertip")
    return Known(minutiae=laid)


def from_print(path: Path, ppi: float) -> Known:
    """The ridges of a print. Raises UserError for an image without ridges."""
    image = _read(path, ppi)
    seen = see(image)
    if not seen.mask.any():
        raise UserError(f"{path}: no ridges were found in it; is the resolution right?")
    return laid_print(image, seen)[0]


def laid_print(image: np.ndarray, seen: Seen) -> tuple[Known, tuple[float, float]]:
    """A print (height, width) uint8 at 500 ppi on a master, and by how much it was moved to lie there (x, y)."""
    trusted = inner(seen.mask, RIM)
    well_in = inner(seen.mask, END)
    minutiae = [m for m in read_minutiae(seen.wave) if well_in[int(m.y), int(m.x)]]
    rows, cols = np.nonzero(seen.mask)
    dx, dy = _shift(list(zip(cols[:: SPACING**2].tolist(), rows[:: SPACING**2].tolist(), strict=True)), [])
    dx, dy = round(dx / HALF) * HALF, round(dy / HALF) * HALF
    periods = block_periods(image, seen.mask)
    known = Known(
        minutiae=tuple(m for m in (m._replace(x=m.x + dx, y=m.y + dy) for m in minutiae) if _on_master(m)),
        period=float(np.median(periods)) if len(periods) else PERIOD,
        directions=_directions(seen.wave, seen.trust * trusted, dx, dy),
        ridges=_laid(seen.wave, dx, dy),
        trust=_laid(cv2.GaussianBlur(seen.trust * trusted, (0, 0), 2), dx, dy),
    )
    return known, (dx, dy)


def _read(path: Path, ppi: float) -> np.ndarray:
    """The picture as grey levels (height, width) at 500 ppi, as it says or as `ppi` says, no larger than a master."""
    with Image.open(path) as image:
        grey = at_500(grey_levels(image), stated_ppi(image) or ppi)
    top, left = (max(side - most, 0) // 2 for side, most in zip(grey.shape, (MASTER_HEIGHT, MASTER_WIDTH), strict=True))
    return np.ascontiguousarray(grey[top : top + MASTER_HEIGHT, left : left + MASTER_WIDTH])


def _shift(points: Sequence[tuple[float, float]], cores: Sequence[SingularPoint]) -> tuple[float, float]:
    """What brings the upper core, or without one the middle of the points, to its place on the master."""
    if cores:
        upper = min(cores, key=lambda p: p.y)
        return CORE[0] - upper.x, CORE[1] - upper.y
    x, y = np.mean(points, 0)
    return MIDDLE[0] - float(x), MIDDLE[1] - float(y)


def _on_master(m: Minutia) -> bool:
    return MARGIN <= m.x < MASTER_WIDTH - MARGIN and MARGIN <= m.y < MASTER_HEIGHT - MARGIN


def _directions(wave: np.ndarray, trust: np.ndarray, dx: float, dy: float) -> Directions:
    """The ridges' directions at points SPACING pixels apart, as far as they are trusted."""
    angle, coherence = orientation(wave, SPACING)
    weight = (coherence * trust)[::SPACING, ::SPACING]
    y, x = np.mgrid[: wave.shape[0] : SPACING, : wave.shape[1] : SPACING]
    there = weight > 0
    points = np.stack([x[there] + dx, y[there] + dy], 1)
    inside = ((points >= 0) & (points < (MASTER_WIDTH, MASTER_HEIGHT))).all(1)
    angles = angle[::SPACING, ::SPACING][there]
    return Directions(points=points[inside], angles=angles[inside], weights=weight[there][inside])


def _laid(plane: np.ndarray, dx: float, dy: float) -> torch.Tensor:
    """A plane of the picture on the master, at half resolution; 0 around it."""
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    whole = cv2.warpAffine(plane.astype(np.float32), move, (MASTER_WIDTH, MASTER_HEIGHT))
    return torch.from_numpy(cv2.resize(whole, None, fx=1 / HALF, fy=1 / HALF, interpolation=cv2.INTER_AREA))
