"""Minutiae files that are expected beside the images."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from fpsynth.dataset.reader.disk import content, files_below
from fpsynth.dataset.spec import image_stem
from fpsynth.vocabulary import SIDECARS


@dataclass(frozen=True)
class Sidecars:
    """Which sidecar formats to expect, and the folder that spec.image_stem puts them under."""

    folder: Path
    formats: tuple[str, ...]
    state: str = ""

    def read(self, split: str, identity: int | None, name: str) -> dict[str, bytes | None]:
        """Contents by format; None for a file that is not there. Raises ValueError where identity is no number."""
        if not isinstance(identity, int):
            raise ValueError(f"{name}: its identity is no number")
        stem = image_stem(self.folder, split, identity, name)
        return {form: content(stem.with_name(name + SIDECARS[form])) for form in self.formats}


def expected(folder: Path, formats: tuple[str, ...]) -> Sidecars | None:
    """What to expect below a folder, and the state of all sidecar files that are there."""
    if not formats:
        return None
    total = hashlib.sha256()
    for file in files_below(folder, tuple(SIDECARS[form] for form in formats)):
        facts = file.stat()
        total.update(os.fsencode(f"{file.name}/{facts.st_size}/{facts.st_mtime_ns}/"))
    return Sidecars(folder, formats, total.hexdigest())
