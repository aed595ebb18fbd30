"""What images cost on this machine, as runs before found it, so that a plan can say how long and how large one will be.

Kept in the user's cache, one small file for each kind of run: the same renderer, size and gate.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fpsynth.files import cache_folder, write_bytes
from fpsynth.recipe import Plan, Recipe

SECONDS_A_FINGER = 0.4
"""To grow a finger, and to describe a print of it, on one core of a server processor."""
LEAST = 16
"""Images of a run that says anything of the next one."""


@dataclass(frozen=True)
class Pace:
    """seconds: of one worker for one image, without its finger; bytes: of an image with its row and its sidecars."""

    seconds: float
    bytes: float

    def time(self, plan: Plan, workers: int) -> float:
        """Seconds for all of a plan."""
        return (SECONDS_A_FINGER * plan.recipe.identities + self.seconds * plan.images) / workers


def remember(plan: Plan, device: str, workers: int, made: int, seconds: float, size: float) -> None:
    """Keep what a run came to that made so many images in so many seconds, of a dataset of so many bytes.

    Runs of a few images say nothing, and where nothing can be kept nothing is.
    """
    if made < LEAST:
        return
    fingers = SECONDS_A_FINGER * made / plan.recipe.impressions
    pace = Pace(max(seconds * workers - fingers, 0) / made, size / plan.images)
    with suppress(OSError):
        write_bytes(_file(plan.recipe, device), json.dumps(asdict(pace)).encode())


def recall(recipe: Recipe, device: str) -> Pace | None:
    """The pace of the last run of this kind, if there was one."""
    try:
        kept = json.loads(_file(recipe, device).read_bytes())
        return Pace(float(kept["seconds"]), float(kept["bytes"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _file(recipe: Recipe, device: str) -> Path:
    kind = {
        "device": device,
        "image": recipe.image.model_dump(mode="json"),
        "sampling": recipe.sampling.model_dump(mode="json"),
        "gate": recipe.gate is not None,
        "output": [recipe.output.format, sorted(recipe.output.minutiae)],
    }
    name = hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()
    return cache_folder("pace") / f"{name}.json"
