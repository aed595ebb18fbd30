"""The same from Python: a recipe made into a dataset, and a dataset opened for training."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from fpsynth import flow
from fpsynth.console import Console
from fpsynth.dataset.prints import Prints, open_prints


def generate(
    recipe: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    **means: Any,
) -> Path:
    """Make the dataset of a recipe, or what is missing of it, and return its folder (default: out/ and its name).

    overrides: values of the recipe by dotted key, as in {"sampling.steps": 8}. means: device, batch, workers, address,
    overwrite and verify, as the options of the command line. Nothing is printed. Raises fpsynth.errors.UserError, with
    nothing written, for a mistake in these.
    """
    sets = tuple(f"{key}={json.dumps(value)}" for key, value in (overrides or {}).items())
    order = flow.Order(recipe=Path(recipe), overrides=sets, out=None if out is None else Path(out), **means)
    return Path(flow.generate(order, Console("silent")).output)


def open(dataset: str | PathLike[str], split: str | None = None) -> Prints:
    """A finished dataset, or a split of it, as a torch Dataset. Raises UserError where there is none."""
    return open_prints(Path(dataset), split)
