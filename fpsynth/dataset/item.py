"""An image as a source gives it, whatever the source is: a row of ours, anybody's row, a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fpsynth.dataset.row import KINDS
from fpsynth.gate.verdict import WORDS as VERDICTS
from fpsynth.minutiae import Minutia
from fpsynth.slots import SLOTS

LABELS = ("identity", "label", "subject", "finger", "person", "id")
"""Columns that say whose finger it is, the first that is there."""


def word_columns() -> tuple[str, ...]:
    """Columns whose shares are counted: the slots and the finger position."""
    return (*SLOTS, "finger")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One image of a dataset, still encoded, with what the dataset says of it. None: the dataset does not say.

    size is (width, height) in pixels; gate is the row's struct; sidecars are file contents by their format.
    """

    name: str
    identity: str
    impression: int
    encoded: bytes
    split: str | None = None
    subject: str | None = None
    words: Mapping[str, str | None] = field(default_factory=dict)
    minutiae: tuple[Minutia, ...] | None = None
    ppi: float | None = None
    size: tuple[int, int] | None = None
    sha256: str | None = None
    gate: Mapping[str, Any] | None = None
    sidecars: Mapping[str, bytes | None] = field(default_factory=dict)


def class_names(schema: Any) -> dict[str, list[str]]:
    """Names of the class labels, by column, from the metadata that `datasets` writes into a Parquet schema."""
    info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    return {column: feature["names"] for column, feature in info.items() if "names" in feature}


def row_item(
    row: Mapping[str, Any],
    *,
    labels: Mapping[str, list[str]],
    name: str,
    encoded: bytes,
    split: str | None,
    sidecars: Mapping[str, bytes | None],
) -> Item:
    """The item of a row; columns that are not there are not said. Raises ValueError for columns of another shape.

    labels: the names of class labels, by column. An image that no column of LABELS names the finger of is its own.
    """
    try:
        words = {column: _word(row[column], labels.get(column)) for column in word_columns() if column in row}
        size = (row["width"], row["height"]) if row.get("width") and row.get("height") else None
        return Item(
            name=name,
            identity=_identity(row, labels) or name,
            impression=int(row.get("impression") or 0),
            encoded=encoded,
            split=split,
            subject=str(row["subject"]) if row.get("subject") is not None else None,
            words=words,
            minutiae=_minutiae(row["minutiae"]) if row.get("minutiae") is not None else None,
            ppi=row.get("ppi"),
            size=size,
            sha256=row.get("sha256"),
            gate=_gate(row.get("gate")),
            sidecars=sidecars,
        )
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{name}: a column of our name has another shape ({error})") from None


def _identity(row: Mapping[str, Any], labels: Mapping[str, Sequence[str]]) -> str | None:
    label = next((column for column in LABELS if column in row), None)
    return None if label is None else _word(row[label], labels.get(label))


def _word(value: Any, names: Sequence[str] | None) -> str | None:
    """A word, or that of a code; a negative code is `datasets`' for none."""
    if isinstance(value, int) and names:
        return names[value] if value >= 0 else None
    return None if value is None else str(value)


def _minutiae(rows: Sequence[Mapping[str, Any]]) -> tuple[Minutia, ...]:
    return tuple(
        Minutia(float(m["x"]), float(m["y"]), float(m["angle"]), _kind(m.get("kind")), m.get("quality") or 0)
        for m in rows
    )


def _kind(value: Any) -> Any:
    return _word(value, KINDS) or "ending"


def _gate(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if value is None else {**value, "verdict": _word(value.get("verdict"), VERDICTS)}
