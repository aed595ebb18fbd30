"""Finger: one identity. Pattern class, orientation, ridge period, the master ridge pattern and its exact minutiae."""

from fpsynth.finger.finger import MASTER_HEIGHT, MASTER_PPI, MASTER_WIDTH, Finger, make_finger, make_fingers
from fpsynth.finger.growers import GROWERS, grow_masters
from fpsynth.finger.master import Grower, Master

__all__ = [
    "GROWERS",
    "MASTER_HEIGHT",
    "MASTER_PPI",
    "MASTER_WIDTH",
    "Finger",
    "Grower",
    "Master",
    "grow_masters",
    "make_finger",
    "make_fingers",
]
