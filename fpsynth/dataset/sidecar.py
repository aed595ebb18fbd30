"""Minutiae files that stand beside an image: ISO/IEC 19794-2, INCITS 378, NIST xyt, JSON."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from fpsynth.dataset.row import Row
from fpsynth.files import write_bytes
from fpsynth.minutiae import ansi378, iso19794, xyt
from fpsynth.minutiae.record import Record, View, best
from fpsynth.vocabulary import SIDECARS


def write_sidecars(stem: Path, row: Row, formats: tuple[str, ...]) -> None:
    """Write stem.fmr, stem.xyt, ... for the formats that are asked for."""
    for name in formats:
        write_bytes(stem.with_name(stem.name + SIDECARS[name]), encode(name, row))


def encode(form: str, row: Row) -> bytes:
    """The sidecar of this format, of points in the precision of the columns: so it can be made from them again."""
    minutiae = [m._replace(x=_single(m.x), y=_single(m.y), angle=_single(m.angle)) for m in row.minutiae]
    singular = [point._replace(x=_single(point.x), y=_single(point.y)) for point in row.singular]
    return _ENCODERS[form](replace(row, minutiae=minutiae, singular=singular))


def _single(value: float) -> float:
    return float(np.float32(value))


def _iso(row: Row) -> bytes:
    return iso19794.encode(_record(row))


def _ansi(row: Row) -> bytes:
    return ansi378.encode(_record(row))


def _record(row: Row) -> Record:
    height, width = row.image.shape
    quality = round(np.mean([m.quality for m in row.minutiae])) if row.minutiae else 0
    view = View(best(row.minutiae), row.finger, _impression_code(row), quality, singular=row.singular)
    return Record(width, height, (view,), ppi=row.ppi)


def _xyt(row: Row) -> bytes:
    return xyt.encode(row.minutiae, row.image.shape[0]).encode("ascii")


def _json(row: Row) -> bytes:
    height, width = row.image.shape
    content = {
        "id": row.id,
        "width": width,
        "height": height,
        "ppi": row.ppi,
        "minutiae": [m._asdict() for m in row.minutiae],
        "singular": [p._asdict() for p in row.singular],
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def _impression_code(row: Row) -> int:
    """ISO impression type: a live capture, plain or rolled; a print from ink or a surface is not live."""
    rolled = row.words.get("acquisition") == "rolled"
    return (3 if rolled else 2) if row.words.get("sensor") in ("ink", "latent") else int(rolled)


_ENCODERS: dict[str, Callable[[Row], bytes]] = {"iso19794-2": _iso, "ansi378": _ansi, "xyt": _xyt, "json": _json}
