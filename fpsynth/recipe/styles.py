"""The style images that a recipe names: paths and globs, relative to the recipe, each a readable image."""

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path


class StyleProblem(Exception):
    """What is wrong with the entry at index."""

    def __init__(self, index: int, text: str) -> None:
        super().__init__(text)
        self.index, self.text = index, text


def style_paths(entries: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """All images, in the order of the entries, each glob sorted. Raises StyleProblem for the first that is none."""
    return tuple(path for index, entry in enumerate(entries) for path in _entry(index, entry, folder))


def _entry(index: int, entry: str, folder: Path) -> list[Path]:
    paths = sorted(Path(p) for p in glob(str(folder / entry))) if has_magic(entry) else [folder / entry]
    if not paths:
        raise StyleProblem(index, f"no file matches {entry}")
    for path in paths:
        _verify(index, path)
    return paths


def _verify(index: int, path: Path) -> None:
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise StyleProblem(index, f"no file {path}")
    try:
        with Image.open(path) as image:
            image.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise StyleProblem(index, f"{path} is not an image that can be read") from None
