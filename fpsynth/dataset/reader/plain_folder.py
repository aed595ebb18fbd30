"""Plain folders of fingerprints: images and nothing beside them but their names."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fpsynth.dataset.item import Item
from fpsynth.dataset.reader.disk import content, files_below
from fpsynth.dataset.reader.unit import CHUNK

IMAGES = (".png", ".tif", ".tiff", ".bmp", ".pgm", ".jpg", ".jpeg")
STEM = re.compile(r"^(.+)[_-](\d+)$")


@dataclass(frozen=True)
class FilesUnit:
    """Some image files of a plain folder with the identity and the impression that their names give."""

    name: str
    files: tuple[tuple[Path, str, int], ...]

    @property
    def whole(self) -> bool:
        return False

    @property
    def state(self) -> str:
        return ""

    def count(self) -> int:
        return len(self.files)

    def digest(self) -> str:
        total = hashlib.sha256()
        for path, identity, impression in self.files:
            total.update(os.fsencode(f"{path.name}/{identity}/{impression}/"))
            total.update(hashlib.sha256(content(path) or b"").digest())
        return total.hexdigest()

    def read(self) -> Iterator[Item]:
        for path, identity, impression in self.files:
            yield Item(name=path.name, identity=identity, impression=impression, encoded=content(path) or b"")


def folder_units(root: Path) -> Iterator[FilesUnit]:
    """All images below root: FINGER_IMPRESSION in the name of the file, or else the folder is the finger.

    Fingers called the same in two folders are two. By folders, each image in root itself is a finger of its own.
    """
    files = files_below(root, IMAGES)
    matches = [STEM.match(file.stem) for file in files]
    by_name = sum(match is not None for match in matches) * 2 >= len(files)
    labelled = []
    for number, (file, match) in enumerate(zip(files, matches, strict=True)):
        if by_name:
            finger, impression = (match[1], int(match[2])) if match else (file.stem, 1)
            owner = file.with_name(finger)
        else:
            owner, impression = file if file.parent == root else file.parent, number
        labelled.append((file, owner.relative_to(root).as_posix(), impression))
    for start in range(0, len(labelled), CHUNK):
        first = labelled[start][0].relative_to(root).as_posix()
        yield FilesUnit(first, tuple(labelled[start : start + CHUNK]))
