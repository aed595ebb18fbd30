"""A model's files: whole or refused, and one digest of them all. Only safetensors are read.

The directory is a plain diffusers one (see fpsynth.model_folder): the pipeline that its index names opens it.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from fpsynth.errors import DamagedFile, UserError
from fpsynth.model_folder import INDEX, read_json

SHARD = "14MB"
HEADER = 1 << 24
"""Bytes of a safetensors header, at most: that of a thousand layers has less than a million."""
LARGEST = 1 << 20
"""The largest number that a config may hold: no width, count or length of a model comes near it."""
FOREIGN = ("auto_map", "quantization_config", "_attn_implementation", "attn_implementation")
"""Keys of configs that would have a library run or fetch something else."""


def forget_origins(folder: Path) -> None:
    """diffusers writes where a part was once loaded from: no one else has that path."""
    for path in folder.glob("*/config.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file. Raises DamagedFile for one that is missing, truncated or something else."""
    check_weights(path)
    return load_file(path)


def check_weights(path: Path) -> None:
    """Raises DamagedFile unless the file is a whole safetensors file."""
    if not path.is_file():
        raise DamagedFile(f"{path}: the file is missing")
    with open(path, "rb") as stream:
        header = int.from_bytes(stream.read(8), "little")
    if header > HEADER:
        raise DamagedFile(f"{path}: not a whole safetensors file (a header of {header} bytes)")
    try:
        with safe_open(path, framework="pt") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise DamagedFile(f"{path}: not a whole safetensors file ({error})") from None


def components(folder: Path) -> dict[str, str]:
    """Component -> class name, as the model's index says it. Raises UserError where there is no model."""
    if not (folder / INDEX).is_file():
        raise UserError(f"{folder}: no model here ({INDEX} is missing)")
    index = read_json(folder / INDEX)
    return {name: str(entry[1]) for name, entry in index.items() if isinstance(entry, list) and entry[1]}


def check_bundle(folder: Path) -> None:
    """Raises UserError unless the folder holds a model whose weights can all be read."""
    for part in components(folder):
        if part not in UNREAD and not any((folder / part).glob("*.safetensors")):
            raise DamagedFile(f"{folder / part}: no safetensors weights, and no others are read (safetensors only)")
    for path in sorted(folder.rglob("*.safetensors")):
        check_weights(path)
    for path in sorted(folder.rglob("*config*.json")):
        check_config(path)


def check_config(path: Path) -> None:
    """Raises DamagedFile for a config that asks for what no model of this kind has: then nothing is built by it."""
    config = read_json(path)
    for key, value in _entries(config):
        if key in FOREIGN:
            raise DamagedFile(f"{path}: {key} is not taken from a model's files")
        if not abs(value) <= LARGEST:
            raise DamagedFile(f"{path}: {key} is {value:g}; at most {LARGEST}")
    widths = config.get("block_out_channels", [1])
    if not (isinstance(widths, list) and widths and all(isinstance(w, int) and w > 0 for w in widths)):
        raise DamagedFile(f"{path}: block_out_channels is {widths}; whole numbers above 0 are needed")


def _entries(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number with the key that it stands under, and keys of FOREIGN with 0."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in FOREIGN and inner is not None:
                yield name, 0
            yield from _entries(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner, key)
    elif isinstance(value, int | float):
        yield key, value


UNREAD = ("tokenizer", "feature_extractor", "scheduler", "safety_checker")
"""Parts without weights, or whose weights nobody needs."""


def digest(folder: Path) -> str:
    """sha256 (hex) over the names and bytes of a model's files."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
