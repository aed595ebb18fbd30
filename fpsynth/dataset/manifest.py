"""manifest.json: what a dataset is made from, what it must hold, and, once it is whole, the digest of every shard."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fpsynth.dataset.spec import DatasetSpec
from fpsynth.errors import DamagedFile, UserError
from fpsynth.files import write_bytes

NAME = "manifest.json"
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ShardRecord:
    """A finished file of the dataset: its path under the root, its split, its rows, and what it must hash to."""

    file: str
    split: str
    rows: int
    bytes: int
    sha256: str


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def plan(spec: DatasetSpec) -> dict[str, Any]:
    """The part of the manifest that is known before the first image, and that a resumed run must agree with."""
    return {
        "version": VERSION,
        "name": spec.name,
        "format": spec.format,
        "sidecars": list(spec.sidecars),
        "splits": dict(spec.splits),
        "provenance": dict(spec.provenance),
        "recipe": spec.recipe,
    }


def write(root: Path, spec: DatasetSpec, shards: list[ShardRecord] | None) -> None:
    """Write the manifest; shards is None while the dataset is not whole."""
    records = None if shards is None else [asdict(record) for record in shards]
    content = {**plan(spec), "complete": shards is not None, "shards": records or []}
    write_bytes(root / NAME, (json.dumps(content, indent=2) + "\n").encode())


def read(root: Path) -> dict[str, Any] | None:
    """The manifest under root, None where there is none. Raises DamagedFile for one that cannot be read."""
    path = root / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DamagedFile(f"{path}: not a readable manifest ({error})") from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise DamagedFile(f"{path}: not a manifest of version {VERSION}")
    return content


def shard_records(manifest: dict[str, Any]) -> list[ShardRecord]:
    """The finished files that a manifest lists. Raises DamagedFile for entries of another shape."""
    try:
        return [ShardRecord(**entry) for entry in manifest["shards"]]
    except (KeyError, TypeError) as error:
        raise DamagedFile(f"{NAME}: its list of shards is damaged ({error})") from None


def require_same(root: Path, found: dict[str, Any], spec: DatasetSpec) -> None:
    """Raise UserError, naming the first difference, where the dataset in root is not the one of spec."""
    wanted = plan(spec)
    flat_found = {**found, **(found.get("provenance") or {})}
    flat_wanted = {**wanted, **wanted["provenance"]}
    for key in [k for k in flat_wanted if k not in ("provenance", "recipe")] + ["recipe"]:
        if flat_found.get(key) != flat_wanted[key]:
            there, here = (_short(value) for value in (flat_found.get(key), flat_wanted[key]))
            raise UserError(
                f"{root} holds another dataset: {key} is {there} there and {here} here. "
                "Choose another folder, or overwrite it."
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
