"""An image as a source gives it, and what can be wrong with it. Sources differ; from here on all images are alike."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fpsynth.minutiae import Minutia
from fpsynth.slots import SLOTS


def word_columns() -> tuple[str, ...]:
    """Columns whose shares are counted: the slots and the finger position."""
    return (*SLOTS, "finger")


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Fault:
    """Something broken: its kind (a short name), where, and what."""

    kind: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def as_dict(fault: Fault) -> dict[str, str]:
    """For JSON."""
    return asdict(fault)
