"""The extractor stage: a network that sees the ridges of a print, learnt from a bank."""

from fpsynth.training.extractor.job import ExtractorSettings, run_extractor

__all__ = ["ExtractorSettings", "run_extractor"]
