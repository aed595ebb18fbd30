"""What a dataset is to be: its splits and shards, its format, and what must agree when a run is taken up again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fpsynth.errors import UserError

Format = Literal["parquet", "png"]
Fact = str | int | float | None

SIDECARS = {"iso19794-2": ".fmr", "ansi378": ".378", "xyt": ".xyt", "json": ".json"}
"""Sidecar formats and the endings of their files."""

PARTS = ".parts"
"""Where the metadata of finished shards waits in PNG mode (a hidden folder: dataset readers pass it by)."""

RESERVED = ("data", "minutiae")


@dataclass(frozen=True)
class ShardPlace:
    """A shard's split and its number among the shards of that split."""

    split: str
    number: int
    of: int

    @property
    def stem(self) -> str:
        """train-00000-of-00010, as the Hugging Face hub names shards."""
        return f"{self.split}-{self.number:05d}-of-{self.of:05d}"


@dataclass(frozen=True)
class DatasetSpec:
    """splits: shards of each split, in order; provenance: what must be equal for a run to be taken up again."""

    name: str
    splits: Mapping[str, int]
    format: Format = "parquet"
    sidecars: tuple[str, ...] = ()
    provenance: Mapping[str, Fact] = field(default_factory=dict)
    recipe: str = ""

    def __post_init__(self) -> None:
        """Raise UserError for names that could leave the folder, and for sidecars that nobody writes."""
        for split in self.splits:
            if not is_split_name(split):
                raise UserError(f"{split!r} cannot be the name of a split: letters, digits and _ only, not {RESERVED}")
        for sidecar in self.sidecars:
            if sidecar not in SIDECARS:
                raise UserError(f"unknown minutiae format {sidecar!r}: one of {', '.join(SIDECARS)}")

    @property
    def places(self) -> tuple[ShardPlace, ...]:
        """All shards; the index in this tuple is the shard's index in the plan."""
        return tuple(ShardPlace(split, i, n) for split, n in self.splits.items() for i in range(n))


def is_split_name(name: str) -> bool:
    """Whether a split may be called so: the name is also a folder's."""
    return bool(re.fullmatch(r"[A-Za-z0-9_]+", name)) and name not in RESERVED


def shard_path(root: Path, spec: DatasetSpec, place: ShardPlace) -> Path:
    """The file whose existence says that the shard is whole."""
    folder = "data" if spec.format == "parquet" else PARTS
    return root / folder / f"{place.stem}.parquet"
