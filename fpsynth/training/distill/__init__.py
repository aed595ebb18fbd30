"""Distillation: a student network that does in a few steps what the model, its teacher, does in many."""

from fpsynth.training.distill.distill import DistillSettings, check_distill, run_distill
from fpsynth.training.distill.methods import METHODS

__all__ = ["METHODS", "DistillSettings", "check_distill", "run_distill"]
