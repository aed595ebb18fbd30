"""Files that are either whole or not there."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fpsynth.errors import UserError

SUFFIX, LOCK = ".partial", ".fpsynth.lock"


class Busy(UserError):
    """Another process of ours works there."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside path; when the block ends well, what was written there becomes path at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{SUFFIX}")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def alone(folder: Path, name: str = LOCK) -> Iterator[None]:
    """Be the only process of ours that works in a folder, which is made where it is missing, under a lock's name.

    The system gives the lock back when its holder dies. A folder that was made for it and that nothing was put into is
    taken away again. Raises Busy where another holds it, UserError where nobody can.
    """
    from filelock import FileLock, Timeout  # slow to import, and only needed here

    new = not folder.exists()
    lock = FileLock(folder / name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except OSError as error:
        if not isinstance(error, Timeout):
            raise UserError(f"{folder}: cannot be written to ({error.strerror})") from error
        raise Busy(f"{folder}: another run is at work there; let it end, or choose another folder") from None
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / name).unlink()
        lock.release()
        if new:
            with suppress(OSError):
                folder.rmdir()


def cache_folder(kind: str) -> Path:
    """Where what can be worked out again is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fpsynth" / kind


def leftovers(root: Path) -> Iterator[Path]:
    """Temporary files under root, of runs that were killed; by our names, for others may end so too."""
    return (path for path in root.rglob(f".*{SUFFIX}") if is_leftover(path))


def is_leftover(path: Path) -> bool:
    """Whether a file is one that replacing began and nobody finished, or a lock."""
    return is_lock(path) or bool(re.fullmatch(rf"\..+\.[0-9a-f]{{12}}\{SUFFIX}", path.name))


def is_lock(path: Path) -> bool:
    """Whether a file is a lock: of a folder, or of a part of a run."""
    return path.name == LOCK or bool(re.fullmatch(r"\.fpsynth-\d+-of-\d+\.lock", path.name))
