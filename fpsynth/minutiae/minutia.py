"""A minutia and a singular point, in image coordinates.

Pixels from the top left corner, x right, y down. Angles in degrees, counter-clockwise from +x, in [0, 360),
in the sense of ISO/IEC 19794-2:2005: along the ridge away from an ending's tip, and into the fork of a bifurcation
(along the valley that the two branches enclose, pointing away from the single ridge).
"""

from typing import Literal, NamedTuple

MinutiaKind = Literal["ending", "bifurcation"]
SingularKind = Literal["core", "delta"]


class Minutia(NamedTuple):
    """x, y in pixels; angle in degrees; quality 0..100 (0: not reported)."""

    x: float
    y: float
    angle: float
    kind: MinutiaKind
    quality: int = 0


class SingularPoint(NamedTuple):
    """A core or a delta at x, y pixels."""

    x: float
    y: float
    kind: SingularKind
