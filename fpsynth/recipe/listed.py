"""The files that a recipe lists: paths and globs, relative to the recipe, each one that can be read."""

import os
from collections.abc import Callable, Sequence
from glob import escape, glob, has_magic
from pathlib import Path

from fpsynth.errors import DamagedFile
from fpsynth.minutiae.template import read_template


class FileProblem(Exception):
    """What is wrong with the entry at index."""

    def __init__(self, index: int, text: str) -> None:
        super().__init__(text)
        self.index, self.text = index, text


def listed(entries: Sequence[str], folder: Path, fault: Callable[[Path], str | None]) -> tuple[Path, ...]:
    """All files, in the order of the entries, each glob sorted. Raises FileProblem for the first that has a fault."""
    return tuple(path for index, entry in enumerate(entries) for path in _entry(index, entry, folder, fault))


def images(entries: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """As listed, of images."""
    return listed(entries, folder, _no_image)


def templates(entries: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """As listed, of minutiae files."""
    return listed(entries, folder, _no_template)


def _entry(index: int, entry: str, folder: Path, fault: Callable[[Path], str | None]) -> list[Path]:
    paths = [folder / entry]
    if has_magic(entry) and not os.path.exists(paths[0]):
        paths = sorted(Path(p) for p in glob(str(Path(escape(str(folder)), entry))))
    if not paths:
        raise FileProblem(index, f"no file matches {entry}")
    for path in paths:
        if not os.path.isfile(path):
            raise FileProblem(index, f"no file {path}")
        if problem := fault(path):
            raise FileProblem(index, f"{path} {problem}")
    return paths


def _no_image(path: Path) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return "is not an image that can be read"
    return None


def _no_template(path: Path) -> str | None:
    try:
        record = read_template(path)
    except DamagedFile as problem:
        return f"is not a minutiae file that can be read ({problem})"
    return None if record.views[0].minutiae else "has no minutiae"
