"""Where the bundled network lies, and its name for caches; to be asked without loading torch."""

import hashlib
from functools import cache
from pathlib import Path

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def default_embedding() -> Path:
    """The bundled network's folder."""
    return Path(__file__).parent.parent / "weights" / "embedding"


@cache
def bundled_digest() -> str:
    """SHA-256 of the bundled weights."""
    return hashlib.sha256((default_embedding() / WEIGHTS).read_bytes()).hexdigest()
