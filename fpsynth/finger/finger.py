"""One identity: a whole fingertip's ridge pattern at 500 ppi, and what is exactly in it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.finger.detail import draw_detail
from fpsynth.finger.orientation import orientation_field
from fpsynth.finger.pattern import CORE, draw_layout
from fpsynth.finger.period import draw_stretch, fanned
from fpsynth.finger.ridges import grow
from fpsynth.finger.skeleton import read_minutiae
from fpsynth.finger.stretch import move_singular, stretched
from fpsynth.minutiae import Minutia, SingularPoint

MASTER_HEIGHT = 704
MASTER_WIDTH = 576
MASTER_PPI = 500
HALF = 2
"""Master pixels a sample while the ridges grow."""
ROUNDS = (6, 12)
"""Rounds of growth: more rounds heal more disagreements, so fewer minutiae stay."""


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
    """Grow the finger that this generator gives. The same generator state gives the same finger.

    Ridges are grown at half resolution and at the periods that their flow asks for; stretching them to the finger's own
    also brings them to 500 ppi. Raises UserError for an unknown pattern class.
    """
    layout = draw_layout(rng, pattern, MASTER_WIDTH)
    stretch = draw_stretch(rng, MASTER_HEIGHT, MASTER_WIDTH, CORE[1])
    rows, cols = MASTER_HEIGHT // HALF, MASTER_WIDTH // HALF
    theta = orientation_field(rng, layout, rows, cols, HALF).to(device)
    noise = torch.from_numpy(rng.standard_normal((rows, cols)).astype(np.float32)).to(device)
    period = stretch.base * torch.exp(fanned(theta, HALF))
    even, odd = grow(noise, theta, period / HALF, int(rng.integers(*ROUNDS)))
    master = stretched(even, odd, theta, stretch.source.to(device), period)
    minutiae = read_minutiae(master.wave.cpu().numpy())
    singular = move_singular(layout, stretch.source)
    detail = draw_detail(rng, master.wave, master.orientation, master.period)
    centre = finger_centre(singular)
    return Finger(pattern, position, master.wave, detail, master.orientation, master.period, minutiae, singular, centre)


def finger_centre(singular: tuple[SingularPoint, ...]) -> tuple[float, float]:
    """The middle of the fingertip's pad: below the cores, which lie in the upper part of a plain print."""
    cores = [p for p in singular if p.kind == "core"]
    if not cores:
        return CORE[0], CORE[1] + 60
    return sum(p.x for p in cores) / len(cores), sum(p.y for p in cores) / len(cores) + 50
