"""A job whose identities are screened, where its recipe asks for it, and what its manifest and card say of that."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

from fpsynth.console import Console
from fpsynth.embedding.bundled import bundled_digest
from fpsynth.embedding.rates import false_match_rate
from fpsynth.files import cache_folder
from fpsynth.making.accepted import Accepted
from fpsynth.making.job import Job
from fpsynth.making.screen import ATTEMPTS, CONTACT_MM, screen_identities, screen_of
from fpsynth.recipe import Recipe
from fpsynth.training.data.makers import sample


def screened(job: Job, count: int, console: Console) -> Job:
    """The job with the fingers of its first `count` identities settled. Raises UserError where one finds none."""
    recipe = job.loaded.recipe
    if recipe.finger.unique is None:
        return job
    screen = screen_of(recipe, os.cpu_count() or 1, kept_in(recipe))
    with console.progress(count, "fingers") as progress:
        accepted = screen_identities(screen, count, progress.tick)
        progress.piece("screened")
    provenance = {**job.spec.provenance, "refused": accepted.refused, "fingers": accepted.digest}
    spec = replace(job.spec, provenance=provenance, notes=(told(recipe.finger.unique, accepted),))
    return replace(job, spec=spec, attempts=accepted.others)


def kept_in(recipe: Recipe) -> Path:
    """The file that keeps the outcome: by all that it depends on, the program's own fingers among it."""
    how = [recipe.seed, recipe.finger.model_dump(mode="json"), ATTEMPTS, CONTACT_MM, bundled_digest()]
    key = json.dumps([*how, sample(["fingers"])])
    return cache_folder("screen") / f"{hashlib.sha256(key.encode()).hexdigest()}.npz"


def told(threshold: float, accepted: Accepted) -> str:
    """What the card says."""
    rate, count = false_match_rate(threshold), len(accepted.attempts)
    return (
        f"No two of the {count} fingers are nearer than a cosine of {threshold:g} between their canonical prints in "
        f"fpsynth's embedding; by chance {rate:.1g} of all pairs of virtual fingers are (the false match rate that the "
        f"threshold stands for). {accepted.refused} fingers were refused for it, and others grown in their place."
    )
