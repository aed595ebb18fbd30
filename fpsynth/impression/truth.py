"""What is truly in a capture: the finger's minutiae and singular points, moved, less those out of contact."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpsynth.finger import Master
from fpsynth.impression.asperities import load_of
from fpsynth.impression.draws import Array
from fpsynth.impression.skin import SkinMap
from fpsynth.minutiae import Minutia, SingularPoint

NEARLY_ALL = 0.84
"""Share of the surroundings that must touch for a minutia to be one."""
FRAME_PERIODS = 2.0
"""Nearer to the frame, too little ridge is left on one side to tell an ending from the image's end."""


@dataclass(frozen=True)
class Planes:
    """The planes that decide what can be seen, each (height, width)."""

    contact: Array
    pressure: Array
    moisture: Array
    wear: Array


def move_minutiae(finger: Master, skin: SkinMap, planes: Planes) -> tuple[Minutia, ...]:
    """The minutiae in image pixels: those that touch, with skin around them, and lie well inside the frame."""
    if not finger.minutiae:
        return ()
    master = np.array([(m.x, m.y) for m in finger.minutiae])
    image = skin.to_image(master)
    angles = _moved_angles(np.array([m.angle for m in finger.minutiae]), skin.jacobian(image))
    period = _periods(finger, master) * skin.master_mm / skin.pixel_mm
    seen, quality = _touching(planes.contact, image, period), _legibility(planes, image, period)
    rows = zip(finger.minutiae, image, angles, quality, seen, strict=True)
    return tuple(Minutia(float(p[0]), float(p[1]), float(a), m.kind, int(q)) for m, p, a, q, s in rows if s)


def move_singular(finger: Master, skin: SkinMap, planes: Planes) -> tuple[SingularPoint, ...]:
    """The cores and deltas in image pixels, those in contact."""
    if not finger.singular:
        return ()
    image = skin.to_image(np.array([(s.x, s.y) for s in finger.singular]))
    seen = _sample(planes.contact, image) > 0.5
    pairs = zip(finger.singular, image, seen, strict=True)
    return tuple(SingularPoint(float(p[0]), float(p[1]), s.kind) for s, p, ok in pairs if ok)


def _moved_angles(degrees: Array, jacobian: Array) -> Array:
    """Directions (counter-clockwise, y down) carried from the master to the image by the inverse Jacobian (n, 2, 2)."""
    turn = np.radians(degrees)
    direction = np.linalg.solve(jacobian, np.stack([np.cos(turn), -np.sin(turn)], -1)[..., None])[..., 0]
    return np.degrees(np.arctan2(-direction[:, 1], direction[:, 0])) % 360


def _periods(finger: Master, master: Array) -> Array:
    rows, cols = finger.period.shape
    x, y = np.rint(master).astype(int).T
    periods: Array = finger.period.cpu().numpy()[np.clip(y, 0, rows - 1), np.clip(x, 0, cols - 1)].astype(float)
    return periods


def _around(image: Array, radius: Array) -> Array:
    """(25, n, 2): each point and twelve points on each of two circles around it, the smaller half as wide."""
    turn = np.arange(12) * np.pi / 6
    circle = np.stack([np.cos(turn), np.sin(turn)], -1)
    offsets = np.concatenate([np.zeros((1, 2)), circle / 2, circle])
    return image[None] + offsets[:, None] * radius[None, :, None]


def _touching(contact: Array, image: Array, period: Array) -> NDArray[np.bool_]:
    """True where half a period around is in contact, but for a speck, and the frame is two periods away."""
    height, width = contact.shape
    frame = np.min([image[:, 0], image[:, 1], width - 1 - image[:, 0], height - 1 - image[:, 1]], axis=0)
    touching = (_sample(contact, _around(image, 0.5 * period)) > 0.5).mean(0)
    inside: NDArray[np.bool_] = frame >= FRAME_PERIODS * period
    legible: NDArray[np.bool_] = (touching >= NEARLY_ALL) & (_sample(contact, image) > 0.5) & inside
    return legible


def _legibility(planes: Planes, image: Array, period: Array) -> Array:
    """1..100: contact around the minutia, times what pressure, moisture and wear there leave of its ridges."""
    near = _around(image, 1.5 * period)
    contact, pressure, moisture, wear = (
        _sample(plane, near).mean(0) for plane in (planes.contact, planes.pressure, planes.moisture, planes.wear)
    )
    clear = np.exp(-((np.abs(load_of(pressure, moisture)) / 0.75) ** 2.5))
    quality: Array = np.clip(np.rint(100 * contact * clear * (1 - wear) ** 1.5), 1, 100).astype(int)
    return quality


def _sample(plane: Array, points: Array) -> Array:
    """The plane at image points (..., 2), nearest pixel; 0 outside the frame."""
    height, width = plane.shape
    x, y = np.rint(points[..., 0]).astype(int), np.rint(points[..., 1]).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return np.where(inside, plane[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)], 0.0)
