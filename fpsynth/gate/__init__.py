"""Gate: minutiae extracted again from a finished image and compared with the truth."""

from fpsynth.gate.verdict import Verdict, judge, notice

__all__ = ["Verdict", "judge", "notice"]
