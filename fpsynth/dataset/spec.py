"""What a dataset is to be: its splits and shards, its format, and what must agree when a run is taken up again."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fpsynth.errors import UserError
from fpsynth.vocabulary import RESERVED, SIDECARS, is_split_name

Fact = str | int | float | None

PARTS = ".parts"
"""Where a format keeps what is needed until the dataset is closed (a hidden folder: dataset readers pass it by)."""

REBUILT_FROM = "rebuilt_from"
"""Where the provenance says from which kind of files the fingers were rebuilt."""


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
class Part:
    """A share of a run, for one of several machines: every of-th shard, number counting from 1."""

    number: int
    of: int

    def of_these(self, shards: Iterable[int]) -> list[int]:
        """Those of these shards that the part makes."""
        return [index for index in shards if index % self.of == self.number - 1]


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """splits: shards of each split, in order; provenance: what must be equal for a run to be taken up again; notes:
    more that the card is to say."""

    name: str
    splits: Mapping[str, int]
    format: str = "parquet"
    sidecars: tuple[str, ...] = ()
    provenance: Mapping[str, Fact] = field(default_factory=dict)
    recipe: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise UserError for names that could leave the folder, and for sidecars that nobody writes."""
        for split in self.splits:
            if not is_split_name(split):
                raise UserError(f"{split!r} cannot be the name of a split: letters, digits and _ only, not {RESERVED}")
        for sidecar in self.sidecars:
            if sidecar not in SIDECARS:
                raise UserError(f"unknown minutiae format {sidecar!r}: one of {', '.join(SIDECARS)}")

    @property
    def rebuilt_from(self) -> str | None:
        """Which files its fingers were rebuilt from, or its images drawn: minutiae, prints, images."""
        found = self.provenance.get(REBUILT_FROM)
        return None if found is None else str(found)

    @property
    def places(self) -> tuple[ShardPlace, ...]:
        """All shards; the index in this tuple is the shard's index in the plan."""
        return tuple(ShardPlace(split, i, n) for split, n in self.splits.items() for i in range(n))


def split_of(stem: str) -> str:
    """The split in the name of a shard, without its ending: what stands before -00000-of-00010."""
    return re.sub(r"-\d+-of-\d+$", "", stem)


def image_stem(folder: Path, split: str, identity: int, name: str) -> Path:
    """Where the files of one image are below a folder, without their endings."""
    return folder / split / f"{identity:06d}" / name
