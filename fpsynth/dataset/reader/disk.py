"""Files below a folder."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(root: Path, endings: tuple[str, ...]) -> list[Path]:
    """Files below root with one of these endings, through links too; what begins with a dot is passed by."""
    return sorted(p for p in _visible(root) if p.suffix.lower() in endings and p.is_file())


def _visible(root: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(folder))
        inner = [name for name in folders if not name.startswith(".")]
        folders[:] = [name for name in inner if os.path.realpath(os.path.join(folder, name)) not in seen]
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def content(path: Path) -> bytes | None:
    """What is in a file; None where it is not there or cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None
