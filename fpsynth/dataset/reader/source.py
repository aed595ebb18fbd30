"""What kind of dataset lies at a path, cut into units."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpsynth.dataset.formats import open_format
from fpsynth.dataset.reader.parquet import parquet_units
from fpsynth.dataset.reader.plain_folder import folder_units
from fpsynth.dataset.reader.unit import Unit
from fpsynth.errors import UserError
from fpsynth.vocabulary import FORMATS, SIDECARS

PLAIN = "folder"


@dataclass(frozen=True)
class Source:
    """A dataset, cut into units in the order of their file names. form: its format, or `folder`; ours: by fpsynth."""

    root: Path
    form: str
    units: tuple[Unit, ...]
    ours: bool


def open_source(path: Path, manifest: Mapping[str, Any] | None) -> Source:
    """What lies at path: one Parquet file, or a folder; the format that the manifest names is asked first.

    Raises UserError where there are no images.
    """
    if path.is_file():
        return Source(path.parent, "parquet", tuple(parquet_units(path, path.parent, None)), ours=False)
    sidecars = tuple(f for f in (manifest or {}).get("sidecars", ()) if f in SIDECARS)
    for form in sorted(FORMATS, key=lambda name: name != (manifest or {}).get("format")):
        units = open_format(form, path).units(sidecars)
        if units is not None:
            return Source(path, form, units, ours=manifest is not None)
    if images := tuple(folder_units(path)):
        return Source(path, PLAIN, images, ours=False)
    raise UserError(f"{path}: no images, no Parquet shards, no recipe and no model are there")
