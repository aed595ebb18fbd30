"""Checkpoints: one safetensors file, replaced in one go, with a small JSON state in its header."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fpsynth.errors import DamagedFile
from fpsynth.files import replacing

State = dict[str, float]
CHECKPOINT = "checkpoint.safetensors"
"""Its name in the folder of a run."""


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: State) -> None:
    """Write tensors and state; whoever kills the process leaves the old file or the new one, whole."""
    with replacing(path) as temporary:
        save_file(dict(tensors), temporary, metadata={"state": json.dumps(state)})


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], State]:
    """Tensors (on the CPU) and state. Raises DamagedFile when the file cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, json.loads(file.metadata()["state"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise DamagedFile(f"{path}: not a readable checkpoint: {error}") from error
