"""Gate: minutiae extracted again from a finished image and compared with the truth."""

from fpsynth.gate.extractor import NOTICE, available
from fpsynth.gate.match import Found, Tally, compare
from fpsynth.gate.verdict import Verdict, judge

__all__ = ["NOTICE", "Found", "Tally", "Verdict", "available", "compare", "judge"]
