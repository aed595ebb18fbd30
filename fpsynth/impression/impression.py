"""One capture of a finger: where it lay, how the skin gave, what touched."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from fpsynth.finger import Finger
from fpsynth.minutiae import Minutia, SingularPoint


@dataclass(frozen=True)
class CaptureSettings:
    """What the recipe asks of a capture. variation scales every difference between captures; 0: all the same."""

    width: int = 512
    height: int = 512
    ppi: int = 500
    acquisition: str = "plain"
    quality: str = "good"
    skin: str = "normal"
    pressure: str | None = None
    variation: float = 1.0


@dataclass(frozen=True)
class Impression:
    """A capture, before any sensor has seen it. All planes (height, width) float32.

    ridges      [-1, 1], the master's wave, moved
    detail      the master's detail (pores, creases...), moved; to be added to ridges
    contact     [0, 1], 1 where skin touches, soft at the edge
    pressure    [0, 1], local pressure (0.5 is usual)
    moisture    [-1, 1], -1 dry, 0 normal, +1 wet
    wear        [0, 1], 1 where ridges are worn flat or smudged
    flow        (height, width, 2) float32: the master pixel (x, y) that lies under each image pixel
    minutiae    image pixels, only those in contact; quality says how legible each is
    singular    image pixels, only those in contact
    parameters  what was drawn (placement in mm, rotation in degrees, pressure...), for the dataset row
    """

    settings: CaptureSettings
    ridges: Tensor
    detail: Tensor
    contact: Tensor
    pressure: Tensor
    moisture: Tensor
    wear: Tensor
    flow: Tensor
    minutiae: tuple[Minutia, ...]
    singular: tuple[SingularPoint, ...]
    parameters: Mapping[str, float]


def capture(finger: Finger, settings: CaptureSettings, rng: np.random.Generator) -> Impression:
    """Take one capture of the finger, on the finger's device."""
    raise NotImplementedError
