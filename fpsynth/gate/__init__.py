"""Gate: minutiae extracted again from a finished image and compared with the truth."""

from fpsynth.gate.limits import Limits
from fpsynth.gate.verdict import Asked, Verdict, judge, notice

__all__ = ["Asked", "Limits", "Verdict", "judge", "notice"]
