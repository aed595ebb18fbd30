"""What an identity is to every later stage: a piece of ridged skin at some resolution, and what is exactly in it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fpsynth.minutiae import Minutia, SingularPoint


class Master(Protocol):
    """Skin seen as a print is: ridges as they appear on paper. All planes (rows, cols) float32, at `ppi`.

    part          which part of the hand it is, a key of GROWERS
    pattern       the class of its ridge pattern
    position      the finger, 0..10 as in fpsynth.vocabulary.FINGERS
    ppi           pixels an inch of all planes and points
    ridges        [-1, 1]: smooth wave, +1 on a ridge crest, -1 in a valley
    detail        [-1.6, .6]: what belongs to the skin besides the wave (pores, creases...), to be added to it
    orientation   radians in [0, pi): ridge direction, counter-clockwise from +x (y is down)
    period        ridge period in pixels
    minutiae      pixels, angles in degrees (see fpsynth.minutiae.Minutia)
    singular      cores and deltas, pixels
    centre        (x, y) pixels: the point that a person puts in the middle of a sensor
    """

    @property
    def part(self) -> str: ...
    @property
    def pattern(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def ppi(self) -> int: ...
    @property
    def ridges(self) -> Tensor: ...
    @property
    def detail(self) -> Tensor: ...
    @property
    def orientation(self) -> Tensor: ...
    @property
    def period(self) -> Tensor: ...
    @property
    def minutiae(self) -> tuple[Minutia, ...]: ...
    @property
    def singular(self) -> tuple[SingularPoint, ...]: ...
    @property
    def centre(self) -> tuple[float, float]: ...


class Grower(Protocol):
    """Grows a batch of masters together, each from its own generator and as it would be grown alone."""

    def __call__(
        self,
        rngs: Sequence[np.random.Generator],
        patterns: Sequence[str],
        positions: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> Sequence[Master]:
        """One master a generator. Raises UserError for a pattern class that this part of the hand does not have."""
