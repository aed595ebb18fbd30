"""Training of a model's finisher."""

from fpsynth.training.finisher.finisher import FinisherSettings, run_finisher

__all__ = ["FinisherSettings", "run_finisher"]
