"""How the files of a dataset lie: one module for each format, named as in fpsynth.vocabulary.FORMATS.

To add a format: an entry in that table, and a module here with a class Layout that does what protocol.Format says.
"""

import importlib
from pathlib import Path

from fpsynth.dataset.formats.protocol import Format
from fpsynth.errors import UserError
from fpsynth.vocabulary import FORMATS

__all__ = ["Format", "open_format"]


def open_format(name: str, root: Path) -> Format:
    """The dataset folder root as the format of this name sees it; touches nothing. Raises UserError for no format."""
    if name not in FORMATS:
        raise UserError(f"unknown format {name!r}: one of {', '.join(FORMATS)}")
    layout: Format = importlib.import_module(f"{__package__}.{name}").Layout(root)
    return layout
