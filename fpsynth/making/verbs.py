"""What can be done to a print, by name: what the model is shown of it, and what it begins from and keeps.

restyle   the same ridges drawn anew in the look of the words or style images
refine    noise is added up to a strength and taken away again (SDEdit, Meng et al. 2022): texture, not another print
complete  the fingertip around a partial print, whose own pixels stay (masked sampling as in GLIDE, Nichol et al. 2022)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.extractor.own import inner
from fpsynth.extractor.picture import MASTER_PPI, Picture, impression_of, sketched
from fpsynth.finger import Finger, rebuild
from fpsynth.impression import Impression
from fpsynth.impression.asperities import Skin, asperities
from fpsynth.impression.draws import Draws
from fpsynth.making.source import laid_print
from fpsynth.minutiae import Minutia
from fpsynth.vocabulary import DRAWN_EDITS

PAD = 170.0, 225.0
"""Half width and half height (pixels at 500 ppi) of a fingertip that a partial print is completed to."""
RAGGED = 9.0
"""Pixels by which its edge wanders."""
SEAM = 6
"""Pixels at the edge of a partial print that are drawn anew."""


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """What is to be drawn.

    impression  what the model is shown; its minutiae are the picture's and, where ridges are imagined, those too
    strength    1: from noise; less: from the picture with so much noise on it
    kept        (H, W) bool: pixels that stay as they are; None: none do
    imagined    minutiae that no picture shows
    """

    impression: Impression
    strength: float = 1.0
    kept: np.ndarray | None = None
    imagined: tuple[Minutia, ...] = ()


@dataclass(frozen=True)
class Begin:
    """The picture that an image begins from, and what is to become of it."""

    picture: Picture
    sketch: Sketch


Verb = Callable[[Picture, float, np.random.Generator], Sketch]
"""(the picture, the strength that was asked for, a generator of its own)."""


def restyle(picture: Picture, strength: float, rng: np.random.Generator) -> Sketch:
    """Only the ridges stay."""
    return Sketch(impression=impression_of(picture))


def refine(picture: Picture, strength: float, rng: np.random.Generator) -> Sketch:
    """From the picture itself."""
    return Sketch(impression=impression_of(picture), strength=strength)


def complete(picture: Picture, strength: float, rng: np.random.Generator) -> Sketch:
    """Around the picture's ridges a finger is rebuilt, and drawn as far as a fingertip reaches."""
    known, (dx, dy) = laid_print(picture.image, picture.seen)
    finger = rebuild(known, rng)
    contact = np.maximum(picture.contact, _pad(picture, finger, dx, dy, rng))
    ridges = _seen(finger.ridges, picture.image.shape, dx, dy)
    there = [m._replace(x=m.x - dx, y=m.y - dy) for m in finger.minutiae]
    imagined = tuple(m for m in there if _on(contact, m) and not _on(picture.seen.mask, m))
    kept = inner(picture.seen.mask, SEAM)
    uneven = np.where(kept, impression_of(picture).asperities, _uneven(ridges, rng))
    return Sketch(
        impression=sketched(ridges.numpy(), contact, uneven, (*picture.minutiae, *imagined)),
        kept=kept,
        imagined=imagined,
    )


def _uneven(ridges: Tensor, rng: np.random.Generator) -> Tensor:
    """The asperities of usual skin with these ridges (H, W)."""
    skin = Skin(ridges[None], torch.zeros(1, *ridges.shape), torch.ones(1, 1, 1), MASTER_PPI)
    return asperities([Draws(rng, rng, 1.0)], skin)[0]


def _pad(picture: Picture, finger: Finger, dx: float, dy: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 in [0, 1]: the fingertip's contact, an ellipse with a ragged edge."""
    height, width = picture.image.shape
    x0, y0 = finger.centre[0] - dx, finger.centre[1] - dy
    y, x = np.mgrid[:height, :width].astype(np.float32)
    coarse = rng.standard_normal((height // 12 + 2, width // 12 + 2)).astype(np.float32)
    wander = RAGGED * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    inside = (1 - np.hypot((x - x0) / PAD[0], (y - y0) / PAD[1])) * min(PAD) + wander
    soft: np.ndarray = np.clip(inside / 6 + 0.5, 0, 1).astype(np.float32)
    return soft


def _seen(plane: Tensor, shape: tuple[int, ...], dx: float, dy: float) -> Tensor:
    """A plane of the master as it lies under an image."""
    rows, cols = plane.shape
    y, x = torch.meshgrid(*(torch.arange(side, dtype=torch.float32) for side in shape[:2]), indexing="ij")
    where = torch.stack([(x + dx) / (cols - 1) * 2 - 1, (y + dy) / (rows - 1) * 2 - 1], -1)[None]
    seen: Tensor = F.grid_sample(plane[None, None], where, "bilinear", "border", align_corners=True)[0, 0]
    return seen


def _on(plane: np.ndarray, m: Minutia) -> bool:
    height, width = plane.shape
    return 0 <= m.x < width and 0 <= m.y < height and bool(plane[int(m.y), int(m.x)] > 0.5)


VERBS: Final[dict[str, Verb]] = dict(zip(DRAWN_EDITS, (restyle, refine, complete), strict=True))
"""By the names that the command line knows."""
