"""`fpsynth inspect FOLDER --recipe out.yaml`: a recipe that makes prints like those of a folder."""

import os
from pathlib import Path

from fpsynth.errors import UserError
from fpsynth.files import write_bytes
from fpsynth.inspect.look.result import Options
from fpsynth.inspect.measure.dataset import Measured
from fpsynth.inspect.measure.portrait import portray
from fpsynth.inspect.measure.reading import known
from fpsynth.inspect.report.recipe import HEAD, recipe_text
from fpsynth.recipe import load_recipe


def check_target(path: Path) -> None:
    """Raise UserError where no recipe could be written, before anything is measured.

    A file that the command wrote is replaced, as a report is; one that it did not write stays.
    """
    if known() is None:
        raise UserError("--recipe: this installation has no reader (fpsynth/weights/reader)")
    if path.is_dir():
        raise UserError(f"--recipe {path}: is a folder")
    try:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UserError(f"--recipe {path}: cannot be written")
        if path.exists() and not path.read_bytes().startswith(HEAD.encode()):
            raise UserError(f"--recipe {path}: exists, and was not written by this command")
    except OSError as error:
        raise _unusable(path, error) from None


def write_recipe(measured: Measured, options: Options, path: Path) -> None:
    """Write the recipe, and check it as `generate` would. Raises UserError where there is too little to tell."""
    portrait = portray(measured.records)
    try:
        write_bytes(path, recipe_text(portrait, _command(options)).encode())
    except OSError as error:
        raise _unusable(path, error) from None
    load_recipe(path)


def _command(options: Options) -> str:
    """The command line without paths: they may say more than a recipe should."""
    told = ["fpsynth inspect FOLDER --recipe RECIPE.yaml"]
    usual = Options()
    told += [f"--{name} {getattr(options, name):g}" for name in ("limit", "ppi") if _other(options, usual, name)]
    return " ".join([*told, *(["--no-judges"] if options.judges is False else [])])


def _other(options: Options, usual: Options, name: str) -> bool:
    return bool(getattr(options, name) != getattr(usual, name))


def _unusable(path: Path, error: OSError) -> UserError:
    return UserError(f"--recipe {path}: cannot be written ({(error.strerror or str(error)).lower()})")
