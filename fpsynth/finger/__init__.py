"""Finger: one identity. Pattern class, orientation, ridge period, the master ridge pattern and its exact minutiae."""

from fpsynth.finger.finger import MASTER_HEIGHT, MASTER_PPI, MASTER_WIDTH, Finger, make_finger, make_fingers

__all__ = ["MASTER_HEIGHT", "MASTER_PPI", "MASTER_WIDTH", "Finger", "make_finger", "make_fingers"]
