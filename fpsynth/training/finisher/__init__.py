"""Training of a model's finisher."""

from fpsynth.training.finisher.drawn import Artist
from fpsynth.training.finisher.finisher import FinisherSettings, drawing_of, run_finisher, teach

__all__ = ["Artist", "FinisherSettings", "drawing_of", "run_finisher", "teach"]
