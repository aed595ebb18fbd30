"""An image as a source gives it, whatever the source is: a row of ours, anybody's row, a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fpsynth.dataset.row import KINDS
from fpsynth.gate.verdict import WORDS as VERDICTS
from fpsynth.minutiae import Minutia
from fpsynth.slots import SLOTS


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
    label: str | None,
    name: str,
    encoded: bytes,
    split: str,
    sidecars: Mapping[str, bytes | None],
) -> Item:
    """The item of a row; columns that are not there are not said.

    labels: the names of class labels, by column; label: the column that says whose finger it is, None where none does.
    """
    words = {column: _word(row[column], labels.get(column)) for column in word_columns() if column in row}
    size = (row["width"], row["height"]) if row.get("width") and row.get("height") else None
    return Item(
        name=name,
        identity=str(row[label]) if label else name,
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


def _word(value: Any, names: list[str] | None) -> str | None:
    if isinstance(value, int) and names:
        return names[value]
    return None if value is None else str(value)


def _minutiae(rows: list[dict[str, Any]]) -> tuple[Minutia, ...]:
    return tuple(Minutia(m["x"], m["y"], m["angle"], _kind(m.get("kind")), m.get("quality") or 0) for m in rows)


def _kind(value: Any) -> Any:
    return KINDS[value] if isinstance(value, int) else (value or "ending")


def _gate(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if value is None:
        return None
    verdict = value.get("verdict")
    return {**value, "verdict": VERDICTS[verdict] if isinstance(verdict, int) else verdict}
