"""Which files under a folder are ours: by their names alone, for a run may have been cut off before it listed them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from fpsynth.dataset import manifest
from fpsynth.dataset.card import PICTURE
from fpsynth.dataset.reader.image_folder import METADATA
from fpsynth.dataset.spec import PARTS
from fpsynth.files import is_lock, leftovers
from fpsynth.vocabulary import RESERVED, is_split_name


def remove(root: Path, splits: Iterable[str]) -> None:
    """Remove a dataset with these splits, and nothing else. Raises OSError where a file cannot be; the manifest is
    the last to go, after the folders too, so that the folder stays a dataset's until then."""
    stale = [path for path in leftovers(root) if not is_lock(path)]
    files = [*owned(root, splits), *stale, root / PICTURE, root / "README.md"]
    for file in files:
        file.unlink(missing_ok=True)
    for folder in sorted({parent for file in files for parent in file.parents if root in parent.parents}, reverse=True):
        with suppress(OSError):
            folder.rmdir()
    (root / manifest.NAME).unlink(missing_ok=True)


def owned(root: Path, splits: Iterable[str]) -> Iterator[Path]:
    """Shards, images, metadata and sidecars that a dataset with these splits may have put under root."""
    for split in filter(is_split_name, splits):
        for folder in (root / RESERVED[0], root / PARTS):
            yield from _named(folder, rf"{split}-\d{{5,}}-of-\d{{5,}}\.\w+")
        for folder in (root / split, root / RESERVED[1] / split):
            yield from _named(folder, re.escape(METADATA))
            for identity in _named(folder, r"\d{6,}"):
                yield from _named(identity, rf"{identity.name}_\d{{2,}}\.\w+")


def _named(folder: Path, pattern: str) -> list[Path]:
    return [path for path in folder.iterdir() if re.fullmatch(pattern, path.name)] if folder.is_dir() else []
