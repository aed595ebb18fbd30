"""Finger: one identity. Pattern class, orientation, ridge period, the master ridge pattern and its exact minutiae."""

from fpsynth.finger.by_hand import Drawing
from fpsynth.finger.finger import (
    MASTER_HEIGHT,
    MASTER_PPI,
    MASTER_WIDTH,
    Finger,
    draw_finger,
    make_finger,
    make_fingers,
)
from fpsynth.finger.growers import GROWERS, grow_masters
from fpsynth.finger.master import Grower, Master
from fpsynth.finger.rebuild import Known, rebuild

__all__ = [
    "GROWERS",
    "MASTER_HEIGHT",
    "MASTER_PPI",
    "MASTER_WIDTH",
    "Drawing",
    "Finger",
    "Grower",
    "Known",
    "Master",
    "draw_finger",
    "grow_masters",
    "make_finger",
    "make_fingers",
    "rebuild",
]
