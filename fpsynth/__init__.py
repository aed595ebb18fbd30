"""fpsynth: synthetic fingerprint datasets from a recipe.

folder = fpsynth.generate("recipe.yaml", "out", {"identities": 10})
prints = fpsynth.open(folder, split="train")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fpsynth.api import generate, open

__version__ = "0.2.0"
__all__ = ["__version__", "generate", "open"]


def __getattr__(name: str) -> Any:
    """The functions of fpsynth.api, which is loaded when one is asked for."""
    if name not in ("generate", "open"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fpsynth import api

    return getattr(api, name)
