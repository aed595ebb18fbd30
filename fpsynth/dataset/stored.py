"""A row as it is stored, and the row that it was made from."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from fpsynth.dataset.row import KINDS, RENDERERS, SINGULAR_KINDS, GateRecord, Renderer, Row
from fpsynth.dataset.sidecar import encode
from fpsynth.gate.limits import Limits
from fpsynth.gate.verdict import WORDS
from fpsynth.minutiae import Minutia, SingularPoint
from fpsynth.slots import SLOTS, Words


@dataclass(frozen=True)
class Stored:
    """facts: the columns but the image, class labels as codes; encoded: the PNG; sidecars: contents by their format,
    None for a file that is not there."""

    facts: Mapping[str, Any]
    encoded: bytes
    sidecars: Mapping[str, bytes | None] = field(default_factory=dict)


def fault(stored: Stored) -> str | None:
    """What is wrong with a stored row, in words; None where it is whole."""
    name = stored.facts["id"]
    if hashlib.sha256(stored.encoded).hexdigest() != stored.facts["sha256"]:
        return f"the image of {name} is {'not the one that was written' if stored.encoded else 'missing'}"
    if not stored.sidecars:
        return None
    row = row_of(stored)
    for form, content in stored.sidecars.items():
        if content != encode(form, row):
            return f"the {form} file of {name} is {'missing' if content is None else 'not the one that was written'}"
    return None


def row_of(stored: Stored) -> Row:
    """The row that a stored one was made from. Raises OSError or ValueError for an image that cannot be read."""
    told = stored.facts
    with Image.open(io.BytesIO(stored.encoded), formats=("PNG",)) as image:
        pixels = np.asarray(image.convert("L"))
    plain = ("identity", "impression", "subject", "finger", "prompt", "style", "source", "seed", "ppi", "shared_noise")
    return Row(
        image=pixels,
        words=words_of(told),
        **{name: told[name] for name in plain},
        minutiae=[Minutia(m["x"], m["y"], m["angle"], KINDS[m["kind"]], m["quality"]) for m in told["minutiae"]],
        singular=[SingularPoint(p["x"], p["y"], SINGULAR_KINDS[p["kind"]]) for p in told["singular"]],
        parameters={entry["name"]: entry["value"] for entry in told["parameters"]},
        gate=_gate(told["gate"]),
        renderer=Renderer(RENDERERS[told["renderer"]["kind"]], told["renderer"]["model"], told["renderer"]["student"]),
        encoded=stored.encoded,
    )


def words_of(told: Mapping[str, Any]) -> Words:
    """The words of the slots, from their codes."""
    return {name: None if told[name] is None else slot.words[told[name]] for name, slot in SLOTS.items()}


def _gate(told: Mapping[str, Any]) -> GateRecord:
    least, most = told["least_recall"], told["most_spurious"]
    return GateRecord(
        verdict=WORDS[told["verdict"]],
        recall=told["recall"],
        spurious=told["spurious"],
        tries=told["tries"],
        extractor=told["extractor"],
        limits=None if least is None else Limits(least, most),
    )
