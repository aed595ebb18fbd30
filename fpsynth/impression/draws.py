"""Random draws of a capture, all of them scaled by one knob: how much captures of a finger differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fpsynth.finger import Master
from fpsynth.finger.fields import column, enlarged

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Two sources of chance: the capture's own, and the finger's habit, which every capture of it shares.

    care: of this touch; a careless one (above 1) is off in everything at once.
    At variation 0 only the habit speaks, so that every capture is the same; from 1 on only the capture's own.
    """

    own: np.random.Generator
    habit: np.random.Generator
    variation: float
    care: float = 1.0

    def difference(self, spread: float, limit: float = 2.5) -> float:
        """A normal draw with about this spread at variation 1 and 0 at variation 0, within `limit` spreads."""
        return float(np.clip(self.own.standard_normal() * self.care, -limit, limit)) * spread * self.variation

    def trait(self) -> float:
        """A standard normal draw that passes from the finger's habit to the capture's own as variation grows."""
        return float(self._mixed(self.habit.standard_normal(1), self.own.standard_normal(1))[0])

    def field(self, height: int, width: int, scale: float) -> Array:
        """(height, width) smooth normal noise of about unit variance, correlated over `scale` samples."""
        return self._mixed(smooth(self.habit, height, width, scale), smooth(self.own, height, width, scale))

    @property
    def shares(self) -> tuple[float, float]:
        """How much the finger's habit and the capture's own chance weigh; their squares sum to 1."""
        own = min(self.variation, 1.0)
        return math.sqrt(1 - own**2), own

    @property
    def chance(self) -> np.random.Generator:
        """For what is either there or not, and cannot be mixed: the capture's own, at variation 0 the habit's."""
        return self.own if self.variation > 0 else self.habit

    def _mixed(self, habit: Array, own: Array) -> Array:
        return self.shares[0] * habit + self.shares[1] * own


def draws_for(finger: Master, variation: float, rng: np.random.Generator) -> Draws:
    """The draws of one capture; the finger's habit is seeded by its own minutiae."""
    words = [round(16 * v) for m in finger.minutiae[:32] for v in (m.x, m.y)]
    care = float(np.clip(np.exp(0.45 * rng.standard_normal()), 0.5, 2.5))
    return Draws(rng, np.random.default_rng([finger.position, *words]), variation, care)


def smooth(rng: np.random.Generator, height: int, width: int, scale: float) -> Array:
    """(height, width) noise of about unit variance: a coarse grid of normal draws, enlarged by cubic interpolation."""
    scale = max(scale, 1.0)
    coarse, (top, left) = _draw_grid(rng, height, width, scale)
    large = cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.asarray(large[top : top + height, left : left + width], dtype=np.float64) / 0.75


def smooth_planes(draws: Sequence[Draws], height: int, width: int, scale: float, device: torch.device) -> Tensor:
    """(B, height, width) float32: Draws.field of a batch, enlarged on the device."""
    scale = max(scale, 1.0)
    habit, own = zip(*(d.shares for d in draws), strict=True)
    planes = column(own, device) * _enlarged([d.own for d in draws], height, width, scale, device)
    if any(habit):
        planes = planes + column(habit, device) * _enlarged([d.habit for d in draws], height, width, scale, device)
    return planes


def _enlarged(
    rngs: Sequence[np.random.Generator], height: int, width: int, scale: float, device: torch.device
) -> Tensor:
    grids, corners = zip(*(_draw_grid(rng, height, width, scale) for rng in rngs), strict=True)
    coarse = torch.from_numpy(np.stack(grids).astype(np.float32)).to(device)
    return enlarged(coarse, scale, corners, height, width) / 0.75


def _draw_grid(rng: np.random.Generator, height: int, width: int, scale: float) -> tuple[Array, tuple[int, int]]:
    """A coarse grid of normal draws, and where in its enlargement by `scale` the field begins (top, left)."""
    rows, cols = int(np.ceil(height / scale)) + 3, int(np.ceil(width / scale)) + 3
    coarse = rng.standard_normal((rows, cols))
    return coarse, (int(scale * rng.uniform(0.5, 1.5)), int(scale * rng.uniform(0.5, 1.5)))
