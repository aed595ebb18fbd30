"""Minutiae: what they are (minutia.py) and the formats they are exchanged in."""

from fpsynth.minutiae.minutia import Minutia, SingularPoint

__all__ = ["Minutia", "SingularPoint"]
