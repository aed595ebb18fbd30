"""What a screen of identities came to, kept in a file; a file that is damaged counts for nothing."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fpsynth.files import write_bytes

DIGEST = 32


@dataclass(frozen=True)
class Accepted:
    """By identity, from 0: attempts (n,) int64, which of its draws stays; vectors (n, size) float32, of those draws."""

    attempts: np.ndarray
    vectors: np.ndarray

    def first(self, count: int) -> "Accepted":
        """Of the first identities alone."""
        return Accepted(self.attempts[:count], self.vectors[:count])

    @property
    def others(self) -> Mapping[int, int]:
        """The attempt of each identity whose first draw was refused."""
        return {int(identity): int(self.attempts[identity]) for identity in np.flatnonzero(self.attempts)}

    @property
    def refused(self) -> int:
        """Draws that were refused."""
        return int(self.attempts.sum())

    @property
    def digest(self) -> str:
        """Of the attempts, for the manifest: a run that comes to others is not taken up."""
        return hashlib.sha256(self.attempts.astype("<i8").tobytes()).hexdigest()[:16]


NOTHING = Accepted(np.empty(0, np.int64), np.empty((0, 0), np.float32))


def read_accepted(path: Path | None) -> Accepted:
    """What is kept in a file; nothing where there is none or it is damaged."""
    try:
        content = path.read_bytes() if path is not None else b""
        if not content or hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            return NOTHING
        with np.load(io.BytesIO(content[DIGEST:]), allow_pickle=False) as arrays:
            found = Accepted(arrays["attempts"], arrays["vectors"])
    except (OSError, ValueError, KeyError):
        return NOTHING
    return found if found.vectors.ndim == 2 and len(found.vectors) == len(found.attempts) else NOTHING


def write_accepted(path: Path | None, accepted: Accepted) -> None:
    """Keep it; a file that cannot be written is no reason to stop."""
    if path is None:
        return
    out = io.BytesIO()
    np.savez(out, attempts=accepted.attempts, vectors=accepted.vectors)
    try:
        write_bytes(path, hashlib.sha256(out.getvalue()).digest() + out.getvalue())
    except OSError:
        return
