"""A model taught the look of one's own sensor, from prints that stay where they are."""

from fpsynth.training.adapt.adapt import AdaptSettings, own_prints, prints_key, run_adapt

__all__ = ["AdaptSettings", "own_prints", "prints_key", "run_adapt"]
