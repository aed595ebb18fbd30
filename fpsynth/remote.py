"""Datasets in a store: s3://, gs://, hf://, memory:// and whatever else fsspec knows.

What is read is fetched whole; what is written grows in a folder of this machine and is sent when it is done, its
manifest last, so that the store never shows a dataset as whole that is not. A run that was cut off goes on there.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fpsynth.errors import UserError
from fpsynth.files import cache_folder, write_bytes

LAST = "manifest.json"
"""Says that a dataset is whole."""
BEGUN = "begun.json"
"""Beside a folder that is to be sent: the names of the files that it began with, written when all were there."""


def url_of(path: Path | str) -> str | None:
    """The address that a path stands for; None for a path of this machine, file: too.

    Path leaves one slash of :// and of :///, so only in a string is the host seen to be missing before more names.
    Raises UserError for an address without one.
    """
    found = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]+):(?:(/+)(.*))?", str(path))
    if found is None or (found[1] == "file" and found[3]):
        return None
    if not found[3] or len(found[2]) > 2:
        raise UserError(f"{path}: an address needs a host or a bucket ({found[1]}://NAME/...)")
    return f"{found[1]}://{found[3]}"


def shown(path: Path) -> str:
    """A path or an address as people write it."""
    return url_of(path) or str(_local(path))


def _local(path: Path) -> Path:
    """A path of this machine without the file: that may stand before it."""
    return Path(re.sub("^file:/+", "/", str(path)))


@contextmanager
def fetched(path: Path) -> Iterator[Path]:
    """The path itself, or a copy of what lies at the address, for as long. Raises UserError where nothing does."""
    url = url_of(path)
    if url is None:
        yield _local(path)
        return
    with tempfile.TemporaryDirectory() as home:
        here = Path(home) / _name(url)
        if not _fetch(url, here):
            raise UserError(f"{url}: there is nothing")
        yield here


@contextmanager
def delivered(path: Path) -> Iterator[Path]:
    """The path itself, or a folder that becomes what lies at the address when the block ends well.

    It begins as a copy of what lies there. Raises UserError where the store cannot be reached.
    """
    url = url_of(path)
    if url is None:
        yield _local(path)
        return
    home = cache_folder("remote") / hashlib.sha256(url.encode()).hexdigest()[:16]
    here = home / _name(url)
    fresh = not (home / BEGUN).exists()
    if fresh:
        shutil.rmtree(home, ignore_errors=True)
        write_bytes(home / BEGUN, json.dumps(_fetch(url, here)).encode())
    before = _held(here)
    try:
        yield here
    except UserError:
        if fresh and _held(here) <= before:
            shutil.rmtree(home, ignore_errors=True)  # refused: nothing was begun
        raise
    _send(here, url, set(json.loads((home / BEGUN).read_bytes())))
    shutil.rmtree(home)


def _held(folder: Path) -> set[tuple[Path, int, int]]:
    """The files below a folder, each as it is written now."""
    told = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {(path, at.st_mtime_ns, at.st_ino) for path, at in told}


def _name(url: str) -> str:
    return url.rstrip("/").rsplit("/", 1)[-1]


def _fetch(url: str, here: Path) -> list[str]:
    """Copy all files at an address, and return their names below it."""
    store, root = _store(url)
    try:
        store.invalidate_cache()  # what was there when it was last listed says nothing
        names = [file[len(root) :].strip("/") for file in sorted(store.find(root))]
        for name in names:
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            store.get_file(f"{root.rstrip('/')}/{name}", str(here / name))
    except Exception as error:
        raise _unreachable(url, error) from error
    return names


def _send(here: Path, url: str, before: set[str]) -> None:
    """Copy all files of a folder to an address, the manifest last; an older one goes first, so that old and new files
    are never whole together. Of those before, what is gone here goes there."""
    store, root = _store(url)
    files = {path.relative_to(here).as_posix(): path for path in here.rglob("*") if path.is_file()}
    try:
        _withdraw(store, f"{root.rstrip('/')}/{LAST}", files.get(LAST))
        for name in before - set(files):
            with suppress(FileNotFoundError):  # a line that died had come so far
                store.rm_file(f"{root.rstrip('/')}/{name}")
        for name in sorted(files, key=lambda name: (name == LAST, name)):
            target = f"{root.rstrip('/')}/{name}"
            store.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            store.put_file(str(files[name]), target)
    except Exception as error:
        raise _unreachable(url, error) from error


def _withdraw(store: Any, manifest: str, by: Path | None) -> None:
    """Remove a store's manifest, unless it is this very one: then the dataset is what it was."""
    with suppress(FileNotFoundError):
        if by is None or store.cat_file(manifest) != by.read_bytes():
            store.rm_file(manifest)


def _store(url: str) -> tuple[Any, str]:
    """The file system of an address, and the place in it. Raises UserError where nobody knows it."""
    import fsspec

    try:
        store, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError, OSError) as error:
        raise UserError(f"{url}: {str(error).splitlines()[0]}") from None
    return store, str(root)


def _unreachable(url: str, error: Exception) -> UserError:
    """Stores raise what they please."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return UserError(f"{url}: {first}")
