"""What a person can put right. Everything else is a bug and keeps its traceback."""

from collections.abc import Mapping
from typing import Any


class UserError(Exception):
    """A mistake in a recipe, an option, a file or a folder; the message is one clear line. Exit code 2."""


class DamagedFile(UserError):
    """A file that exists and cannot be read as what it says it is (weights, shard, image)."""


class Unfinished(Exception):
    """Pieces of a run that failed again and again, and why; all else is done. Exit code 3."""

    def __init__(self, reasons: Mapping[Any, str]) -> None:
        super().__init__("; ".join(f"{piece}: {reason}" for piece, reason in sorted(reasons.items())))
        self.reasons = reasons
