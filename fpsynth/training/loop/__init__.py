"""The loop that every training stage shares: optimise, average, log, look, checkpoint, resume."""

from fpsynth.training.loop.group_norm import fast_group_norm
from fpsynth.training.loop.job import Job, Learner, LoopSettings, step_generator
from fpsynth.training.loop.loop import fit
from fpsynth.training.loop.place import Place, check_precision, choose_place

__all__ = [
    "Job",
    "Learner",
    "LoopSettings",
    "Place",
    "check_precision",
    "choose_place",
    "fast_group_norm",
    "fit",
    "step_generator",
]
