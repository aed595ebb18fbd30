"""Where the bundled reader lies, and its name for caches; to be asked without loading torch."""

import hashlib
from functools import cache
from pathlib import Path

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def default_reader() -> Path:
    """The bundled reader's folder."""
    return Path(__file__).parent.parent / "weights" / "reader"


@cache
def bundled_reader_digest() -> str:
    """SHA-256 of the bundled weights."""
    return hashlib.sha256((default_reader() / WEIGHTS).read_bytes()).hexdigest()
