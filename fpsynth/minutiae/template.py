"""A minutiae file of any format that this program writes, known by its content."""

import json
from pathlib import Path
from typing import Any

from fpsynth.minutiae import ansi378, iso19794, xyt
from fpsynth.minutiae.fmr import MAGIC
from fpsynth.minutiae.minutia import Minutia, SingularPoint
from fpsynth.minutiae.record import FormatError, Record, View

NIST_PPI = 500
"""What .xyt files, which do not say theirs, are taken for."""


def read_template(path: Path) -> Record:
    """ISO/IEC 19794-2, ANSI/INCITS 378, JSON (as this program writes it) or .xyt. Raises FormatError for anything else.

    A .xyt file says neither the size of its image nor the kinds: its points lie in the smallest image that has them.
    """
    content = path.read_bytes()
    if content.startswith(MAGIC):
        return _binary(content)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise FormatError("neither a minutiae record nor text") from None
    return _json(text) if text.lstrip().startswith("{") else _xyt(text)


def _binary(content: bytes) -> Record:
    """The two standards share their magic; the length field stands in other places, so one of them only fits."""
    try:
        return iso19794.decode(content)
    except FormatError as problem:
        try:
            return ansi378.decode(content)
        except FormatError:
            raise problem from None


def _json(text: str) -> Record:
    try:
        told: dict[str, Any] = json.loads(text)
        minutiae = tuple(_minutia(m) for m in told["minutiae"])
        singular = tuple(SingularPoint(float(p["x"]), float(p["y"]), p["kind"]) for p in told.get("singular", ()))
        size = int(told["width"]), int(told["height"])
        return Record(*size, (View(minutiae, singular=singular),), float(told.get("ppi", NIST_PPI)))
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise FormatError(f"JSON without width, height and minutiae: {problem}") from None


def _minutia(told: dict[str, Any]) -> Minutia:
    kind = told.get("kind", "ending")
    if kind not in ("ending", "bifurcation"):
        raise ValueError(f"no kind of minutia: {kind!r}")
    return Minutia(float(told["x"]), float(told["y"]), float(told["angle"]), kind, int(told.get("quality", 0)))


def _xyt(text: str) -> Record:
    rows = [int(words[1]) for words in map(str.split, text.splitlines()) if len(words) > 1 and words[1].isdigit()]
    height = max(rows, default=1)
    points = xyt.decode(text, height)
    width = max((round(m.x) for m in points), default=0) + 1
    return Record(width, height, (View(points),), NIST_PPI)
