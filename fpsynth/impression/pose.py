"""Where a finger lies on the sensor: shift, rotation, and the part of the pad that faces the glass."""

from dataclasses import dataclass

import numpy as np

from fpsynth.impression.draws import Array, Draws

FINGER_RADIUS_MM = 8.0


@dataclass(frozen=True)
class Pose:
    """A placement.

    dx_mm, dy_mm   the contact's middle from the image's middle (x right, y down)
    rotation_deg   of the finger, counter-clockwise
    roll_deg       about the finger's own axis: shows more of one side
    pitch_mm       how far below the pad's middle the contact's middle lies: negative for a raised finger (the tip)
    """

    dx_mm: float
    dy_mm: float
    rotation_deg: float
    roll_deg: float
    pitch_mm: float

    def to_finger(self, points: Array) -> Array:
        """Image millimetres (..., 2) from the image's middle to millimetres along the finger's own axes."""
        return _turned(points - (self.dx_mm, self.dy_mm), -self.rotation_deg)

    def to_image(self, points: Array) -> Array:
        """The inverse of to_finger."""
        placed: Array = _turned(points, self.rotation_deg) + np.array([self.dx_mm, self.dy_mm])
        return placed

    @property
    def facing_mm(self) -> tuple[float, float]:
        """What lies under the contact's middle, from the pad's middle: rolling by an angle moves it by the arc."""
        return float(np.radians(self.roll_deg)) * FINGER_RADIUS_MM, self.pitch_mm


@dataclass(frozen=True)
class PoseSpread:
    """Standard deviations at variation 1, and what is usual for the acquisition (mean dy and pitch)."""

    dx_mm: float = 2.0
    dy_mm: float = 2.6
    rotation_deg: float = 9.5
    roll_deg: float = 10.0
    pitch_mm: float = 2.1
    usual_dy_mm: float = 0.0
    usual_pitch_mm: float = 0.0


SPREADS = {
    "plain": PoseSpread(),
    "rolled": PoseSpread(0.8, 1.0, 4.0, 2.5, 0.8),
    "partial": PoseSpread(2.5, 2.5, 10.0, 18.0, 3.0),
    "slap": PoseSpread(1.6, 1.8, 4.5, 7.0, 1.3, usual_dy_mm=-1.5, usual_pitch_mm=1.2),
    "latent": PoseSpread(2.5, 2.5, 11.0, 14.0, 2.8),
}


def draw_pose(draws: Draws, acquisition: str) -> Pose:
    """Draw a placement as people place fingers for this acquisition."""
    s = SPREADS[acquisition]
    return Pose(
        dx_mm=draws.difference(s.dx_mm),
        dy_mm=s.usual_dy_mm + draws.difference(s.dy_mm),
        rotation_deg=draws.difference(s.rotation_deg, 2.9),
        roll_deg=draws.difference(s.roll_deg, 2.2),
        pitch_mm=s.usual_pitch_mm + draws.difference(s.pitch_mm, 2.2),
    )


def _turned(points: Array, degrees: float) -> Array:
    """Points (..., 2) turned counter-clockwise as seen with y down."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned: Array = points @ np.array([[c, -s], [s, c]])
    return turned
