"""Extractor: minutiae read from an image, by NIST's mindtct or by the program's own way, and compared with others."""

from fpsynth.extractor.choose import Extractor, chosen, extract
from fpsynth.extractor.match import PPI, Found, Tally, compare

__all__ = ["PPI", "Extractor", "Found", "Tally", "chosen", "compare", "extract"]
