"""A model directory: its parts, their parameters and bytes, its licence, and how it was trained. Needs no torch."""

import json
import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fpsynth.errors import DamagedFile, UserError
from fpsynth.inspect.look.result import Look
from fpsynth.inspect.measure.fault import Fault
from fpsynth.inspect.report.section import Section


class Weights(NamedTuple):
    """Parameters by their type, of one safetensors file."""

    parameters: dict[str, int]
    size: int


def look_at_model(path: Path) -> Look:
    """Parts, parameters, licence, training; weights that cannot be read are faults."""
    index = _json(path / "model_index.json")
    faults: list[Fault] = []
    parts = [part for folder in _folders(path) if (part := _part(path, folder, index, faults)) is not None]
    total, size = sum(p["parameters"] for p in parts), sum(p["bytes"] for p in parts)
    card = _front_matter(path / "README.md")
    figures = {
        "kind": "model",
        "path": str(path),
        "pipeline": index.get("_class_name"),
        "parameters": total,
        "bytes": size,
        "licence": card.get("license"),
        "training": _json(path / "training.json") if (path / "training.json").exists() else None,
        "parts": parts,
    }
    return Look(figures, _sections(figures, path), faults)


def read_weights(path: Path) -> Weights:
    """Parameters of a safetensors file, from its header. Raises DamagedFile for a file that is cut or is none."""
    size = path.stat().st_size
    with open(path, "rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if 8 + length > size:
            raise DamagedFile(f"{path.name}: not a whole safetensors file ({size} bytes)")
        try:
            header = json.loads(stream.read(length))
            header.pop("__metadata__", None)
            end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
            parameters: dict[str, int] = {}
            for tensor in header.values():
                count = math.prod(tensor["shape"])
                parameters[tensor["dtype"]] = parameters.get(tensor["dtype"], 0) + count
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DamagedFile(f"{path.name}: its safetensors header cannot be read") from None
    if 8 + length + end != size:
        raise DamagedFile(f"{path.name}: {size} bytes, its header says {8 + length + end}")
    return Weights(parameters, size)


def _folders(path: Path) -> Iterator[Path]:
    """Folders with a configuration or weights, students too."""
    for folder in sorted(p for p in path.rglob("*") if p.is_dir()):
        if any(folder.glob("*.safetensors")) or any(folder.glob("*config*.json")):
            yield folder


def _part(path: Path, folder: Path, index: dict[str, Any], faults: list[Fault]) -> dict[str, Any] | None:
    parameters: dict[str, int] = {}
    size = 0
    for file in sorted(folder.glob("*.safetensors")):
        try:
            weights = read_weights(file)
        except DamagedFile as error:
            faults.append(Fault("damaged file", file.relative_to(path).as_posix(), str(error)))
            continue
        size += weights.size
        for kind, count in weights.parameters.items():
            parameters[kind] = parameters.get(kind, 0) + count
    name = folder.relative_to(path).as_posix()
    return {
        "name": name,
        "class": _class(folder, index.get(name)),
        "parameters": sum(parameters.values()),
        "types": parameters,
        "bytes": size,
    }


def _class(folder: Path, told: Any) -> str:
    if isinstance(told, list) and len(told) == 2 and told[1]:
        return str(told[1])
    for config in sorted(folder.glob("*config*.json")):
        content = _json(config)
        if "_class_name" in content or content.get("architectures"):
            return str(content.get("_class_name") or content["architectures"][0])
    return "weights"


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    return content if isinstance(content, dict) else {}


def _front_matter(path: Path) -> dict[str, Any]:
    """The YAML head of a model card; empty where there is none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    text = path.read_text(encoding="utf-8") if path.exists() else ""
    head = re.match(r"^---\n(.*?)\n---\n", text, re.DOTALL)
    try:
        content = YAML(typ="safe", pure=True).load(head[1]) if head else {}
    except YAMLError:
        content = {}
    return content if isinstance(content, dict) else {}


def _sections(figures: dict[str, Any], path: Path) -> list[Section]:
    lines = [
        ("pipeline", str(figures["pipeline"])),
        ("parameters", f"{figures['parameters'] / 1e6:.2f} million"),
        ("bytes", f"{figures['bytes'] / 1e6:.1f} MB"),
        ("licence", str(figures["licence"] or "not said")),
    ]
    parts = [(part["name"], _part_text(part)) for part in figures["parts"]]
    training = [(name, str(value)) for name, value in (figures["training"] or {}).items()]
    if not training and (path / "README.md").exists():
        training = [("model card", "README.md")]
    return [Section("Model", lines), Section("Parts", parts), Section("How it was trained", training)]


def _part_text(part: dict[str, Any]) -> str:
    if not part["parameters"]:
        return str(part["class"])
    types = "/".join(sorted(part["types"]))
    return f"{part['class']}, {part['parameters'] / 1e6:.2f} M {types}, {part['bytes'] / 1e6:.1f} MB"
