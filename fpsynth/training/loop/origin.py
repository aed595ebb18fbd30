"""What decided the weights of a run, kept beside its checkpoint, so that a run goes on from what it would have made."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fpsynth.diffusion.bundle import digest
from fpsynth.errors import UserError
from fpsynth.files import write_bytes
from fpsynth.model_folder import default_model, read_json
from fpsynth.training.loop.checkpoint import CHECKPOINT

Origin = Mapping[str, Any]
"""Key -> what decided the weights: a setting, or the digest of what lies where a setting points."""
NAME = "origin.json"
STORES = ("bank", "data")
"""Keys of places whose digests are told by whoever opens them."""


def origin_of(settings: BaseModel, at: str = "") -> dict[str, Any]:
    """Every setting that decides the weights, nested ones by dotted keys; of a model that one names, the digest.

    Left out is what a class of settings names as `free`.
    """
    found: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name == "model" and value is None:
            value = default_model()
        if isinstance(value, BaseModel):
            found |= origin_of(value, f"{at}{name}.")
        elif isinstance(value, Path):
            found |= {} if name in STORES else {at + name: digest(value)}
        elif name not in getattr(settings, "free", ()):
            found[at + name] = value
    return found


def differing(folder: Path, origin: Origin) -> list[str] | None:
    """Keys that what was noted in this folder says otherwise; None where nothing was noted.

    A key that only one of the two has (of a bank that was described and is now named) says nothing.
    """
    if not (folder / NAME).is_file():
        return None
    before, now = read_json(folder / NAME), _plain(origin)
    return [key for key in now if key in before and before[key] != now[key]]


def check_origin(out: Path, origin: Origin) -> None:
    """Raises UserError where the run in this folder has a checkpoint that something else decided."""
    if not (out / CHECKPOINT).exists():
        return
    other, advice = differing(out, origin), "choose another folder, or delete this one"
    if other is None:
        raise UserError(f"{out}: its checkpoint, of an older program, does not say what it was made from; {advice}")
    if other:
        raise UserError(f"{out}: its checkpoint was made from something else ({', '.join(other)}); {advice}")


def claim_origin(out: Path, origin: Origin) -> None:
    """Check, and note it for whoever goes on with the run."""
    check_origin(out, origin)
    note_origin(out, (read_json(out / NAME) if (out / CHECKPOINT).exists() else {}) | _plain(origin))


def note_origin(folder: Path, origin: Origin) -> None:
    """Write it down."""
    write_bytes(folder / NAME, (json.dumps(origin, indent=1) + "\n").encode())


def _plain(origin: Origin) -> dict[str, Any]:
    """As it comes back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(origin))
    return plain
