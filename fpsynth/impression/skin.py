"""How skin gives under a finger that is pushed and twisted, and the map from the image to the master.

The plastic distortion model of Cappelli, Maio and Maltoni ("Modelling plastic distortion in fingerprint images",
ICAPR 2001): skin in an ellipse around the middle of the contact sticks to the glass, skin far from it follows the bone,
and between them the displacement rises as half a cosine. A small smooth residual stands for what the model leaves.
"""

from dataclasses import dataclass

import numpy as np

from fpsynth.impression.draws import Array, Draws
from fpsynth.impression.pose import Pose

WAVES = 6


@dataclass(frozen=True)
class Distortion:
    """Skin motion in finger millimetres.

    torsion_deg, traction   turn and pull of the bone against the glass
    sticking                half axes of the ellipse that does not slip
    elasticity              how wide the zone between sticking and following is, in ellipse radii (k in the paper)
    stretch                 relative widening of the print along x and y
    waves                   (WAVES, 5): wave vector (rad/mm), phase, and displacement (mm) of the residual
    """

    torsion_deg: float
    traction: tuple[float, float]
    sticking: tuple[float, float]
    elasticity: float
    stretch: tuple[float, float]
    waves: Array

    def apply(self, points: Array) -> Array:
        """Where the skin that lies at `points` (..., 2) came from, in millimetres of the relaxed finger."""
        distance = np.sqrt(((points / np.asarray(self.sticking)) ** 2).sum(-1, keepdims=True)) - 1  # shapedist(v)
        rise = np.clip(distance / self.elasticity, 0, 1)
        brake = 0.5 * (1 - np.cos(np.pi * rise))  # brake(shapedist(v), k)
        c, s = np.cos(np.radians(self.torsion_deg)), np.sin(np.radians(self.torsion_deg))
        bone = points @ np.array([[c, -s], [s, c]]) + self.traction - points  # Delta(v)
        moved: Array = points / (1 + np.asarray(self.stretch)) + bone * brake + self._residual(points)
        return moved

    def _residual(self, points: Array) -> Array:
        phase = points @ self.waves[:, :2].T + self.waves[:, 2]
        return np.cos(phase) @ self.waves[:, 3:]


def draw_distortion(draws: Draws, pressure: float) -> Distortion:
    """Draw how the skin gives. A firmer touch sticks over more skin and widens the print."""
    ease = 1.0 + 0.5 * (pressure - 0.5)
    limit = 2.0 / max(draws.variation, 1.0)
    return Distortion(
        torsion_deg=draws.difference(5.5, limit),
        traction=(draws.difference(0.75, limit), draws.difference(0.85, limit)),
        sticking=(4.5 * ease, 5.5 * ease),
        elasticity=2.0,
        stretch=(0.05 * (pressure - 0.5) + draws.difference(0.018, limit), draws.difference(0.022, limit)),
        waves=_draw_waves(draws),
    )


def _draw_waves(draws: Draws) -> Array:
    """A few plane waves 11 to 22 mm long, together about 0.14 mm strong at variation 1 (at most 1.5 times that)."""
    wave, angle = 2 * np.pi / draws.own.uniform(11, 22, WAVES), draws.own.uniform(0, 2 * np.pi, (2, WAVES))
    strength = draws.own.uniform(-0.1, 0.1, (2, WAVES)) * min(draws.variation, 1.5)
    return np.stack([wave * np.cos(angle[0]), wave * np.sin(angle[0]), angle[1], *strength], 1)


@dataclass(frozen=True)
class SkinMap:
    """The whole map of a capture: image pixel -> master pixel, and back.

    middle   the image's middle, in image pixels; anchor the pad's middle, in master pixels
    pixel_mm, master_mm size of an image pixel and of a master pixel
    """

    pose: Pose
    distortion: Distortion
    middle: tuple[float, float]
    anchor: tuple[float, float]
    pixel_mm: float
    master_mm: float

    def to_finger(self, pixels: Array) -> Array:
        """Image pixels (..., 2) to millimetres along the finger's axes, from the contact's middle."""
        return self.pose.to_finger((pixels - self.middle) * self.pixel_mm)

    def finger_to_master(self, points: Array) -> Array:
        """Finger millimetres (..., 2) to master pixels."""
        return (self.distortion.apply(points) + self.pose.facing_mm) / self.master_mm + self.anchor

    def to_master(self, pixels: Array) -> Array:
        """Image pixels (..., 2) to master pixels."""
        return self.finger_to_master(self.to_finger(pixels))

    def jacobian(self, pixels: Array) -> Array:
        """(..., 2, 2) derivative of to_master by central differences: [..., i, j] = d master_i / d image_j."""
        steps = np.eye(2) * 0.25
        return np.stack([(self.to_master(pixels + s) - self.to_master(pixels - s)) * 2 for s in steps], -1)

    def to_image(self, master: Array, rounds: int = 5) -> Array:
        """Master pixels (n, 2) to image pixels: the inverse of to_master by Newton's method."""
        finger = (master - self.anchor) * self.master_mm - self.pose.facing_mm
        pixels = self.pose.to_image(finger) / self.pixel_mm + self.middle
        for _ in range(rounds):
            error = self.to_master(pixels) - master
            pixels = pixels - np.linalg.solve(self.jacobian(pixels), error[..., None])[..., 0]
        return pixels
