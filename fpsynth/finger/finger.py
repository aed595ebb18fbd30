"""One identity: a whole fingertip's ridge pattern at 500 ppi, and what is exactly in it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.minutiae import Minutia, SingularPoint

MASTER_HEIGHT = 704
MASTER_WIDTH = 576
MASTER_PPI = 500


@dataclass(frozen=True)
class Finger:
    """A fingertip seen as a print is (ridges as they appear on paper, not on the skin).

    ridges        (704, 576) float32 in [-1, 1]: smooth wave, +1 on a ridge crest, -1 in a valley; fingertip at the top
    detail        (704, 576) float32, about [-1, .5]: what belongs to the finger besides the wave, in the same unit and
                  to be added to it: pores, ridge edge roughness, creases and scars (negative), incipient ridges and
                  dots (positive). 0 where there is nothing.
    orientation   (704, 576) float32 radians in [0, pi): ridge direction, counter-clockwise from +x (y is down)
    period        (704, 576) float32: ridge period in pixels
    minutiae      master pixels, angles in degrees (see fpsynth.minutiae.Minutia)
    singular      cores and deltas, master pixels
    centre        (x, y) master pixels: the point of the finger that a person puts in the middle of a sensor
    """

    pattern: str
    position: int
    ridges: Tensor
    detail: Tensor
    orientation: Tensor
    period: Tensor
    minutiae: tuple[Minutia, ...]
    singular: tuple[SingularPoint, ...]
    centre: tuple[float, float]


def make_finger(
    rng: np.random.Generator, pattern: str, position: int = 0, device: torch.device | str = "cpu"
) -> Finger:
    """Grow the finger that this generator gives. The same generator state gives the same finger."""
    raise NotImplementedError
