"""The loop that every training stage shares: optimise, average, log, look, checkpoint, resume."""

from fpsynth.training.loop.group_norm import fast_group_norm
from fpsynth.training.loop.job import Job, Learner, LoopSettings, step_generator
from fpsynth.training.loop.loop import fit
from fpsynth.training.loop.origin import Origin, check_origin, claim_origin, differing, note_origin, origin_of
from fpsynth.training.loop.place import Place, check_precision, choose_place

__all__ = [
    "Job",
    "Learner",
    "LoopSettings",
    "Origin",
    "Place",
    "check_origin",
    "check_precision",
    "choose_place",
    "claim_origin",
    "differing",
    "fast_group_norm",
    "fit",
    "note_origin",
    "origin_of",
    "step_generator",
]
