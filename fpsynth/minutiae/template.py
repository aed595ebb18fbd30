"""A minutiae file of any format that this program writes, known by its content."""

import json
import math
import re
from pathlib import Path
from typing import Any, get_args

from fpsynth.minutiae import ansi378, iso19794, xyt
from fpsynth.minutiae.fmr import MAGIC
from fpsynth.minutiae.minutia import Minutia, MinutiaKind, SingularKind, SingularPoint
from fpsynth.minutiae.record import LARGEST, FormatError, Record, View

NIST_PPI = 500
"""What .xyt files, which do not say theirs, are taken for."""
MOST_PPI = 10_000


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
        singular = tuple(
            SingularPoint(_at(p["x"]), _at(p["y"]), _kind(p, SingularKind)) for p in told.get("singular", ())
        )
        width, height, ppi = _at(told["width"]), _at(told["height"]), float(told.get("ppi", NIST_PPI))
        if not (width >= 1 and height >= 1 and 0 < ppi <= MOST_PPI):
            raise ValueError(f"an image of {width:g} x {height:g} at {ppi:g} ppi")
        return Record(int(width), int(height), (View(minutiae, singular=singular),), ppi)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as problem:
        raise FormatError(f"JSON without width, height and minutiae: {str(problem)[:200]}") from None


def _minutia(told: dict[str, Any]) -> Minutia:
    angle, quality = float(told["angle"]), int(told.get("quality", 0))
    if not (math.isfinite(angle) and 0 <= quality <= 100):
        raise ValueError(f"a minutia of angle {angle:g} and quality {quality}")
    return Minutia(_at(told["x"]), _at(told["y"]), angle, _kind(told, MinutiaKind), quality)


def _kind(told: dict[str, Any], known: Any) -> Any:
    """Raises ValueError for a kind that nobody knows."""
    kind = told.get("kind", "ending")
    if kind not in get_args(known):
        raise ValueError(f"no such kind: {kind!r}")
    return kind


def _at(told: Any) -> float:
    """A place or a size in pixels. Raises ValueError for one that no image has."""
    value = float(told)
    if not -1 <= value <= LARGEST:
        raise ValueError(f"{value:g} is no place in an image")
    return value


def _xyt(text: str) -> Record:
    rows = [words[1] for words in map(str.split, text.splitlines()) if len(words) > 1]
    height = max((int(row) for row in rows if re.fullmatch(r"[0-9]{1,5}", row)), default=1)
    points = xyt.decode(text, height)
    width = max((round(m.x) for m in points), default=0) + 1
    return Record(width, height, (View(points),), NIST_PPI)
