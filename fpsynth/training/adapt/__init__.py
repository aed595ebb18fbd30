"""A model taught the look of one's own sensor, from prints that stay where they are."""

from fpsynth.training.adapt.adapt import AdaptSettings, run_adapt, usable

__all__ = ["AdaptSettings", "run_adapt", "usable"]
