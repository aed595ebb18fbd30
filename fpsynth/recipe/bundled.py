"""The recipes that come with the program: used by name, and copied to start from."""

import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from fpsynth.errors import UserError
from fpsynth.files import write_bytes
from fpsynth.recipe.types import nearest

PLACES = (Path(__file__).parents[2] / "recipes", Path(sysconfig.get_path("data")) / "share" / "fpsynth" / "recipes")
"""Of a checkout, and of an installed program."""


def bundled_recipes() -> Mapping[str, Path]:
    """Name (quickstart, train/denoiser...) -> file."""
    folder = next((place for place in PLACES if (place / "quickstart.yaml").is_file()), None)
    if folder is None:
        return {}
    return {p.relative_to(folder).with_suffix("").as_posix(): p for p in sorted(folder.rglob("*.yaml"))}


def find_recipe(path: Path) -> Path:
    """The path itself, or the bundled recipe of that name where no such file is."""
    return path if os.path.exists(path) else bundled_recipes().get(path.as_posix(), path)


def about(path: Path) -> str:
    """What a recipe's first comment says."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = [line.removeprefix("#").strip() for line in lines[: next(i for i, s in enumerate(lines) if s[:1] != "#")]]
    return " ".join(comment)


def copy_recipe(name: str, to: Path) -> None:
    """Write a bundled recipe to a new file. Raises UserError for no such recipe, and where something is already."""
    known = bundled_recipes()
    if name not in known:
        raise UserError(f"no recipe {name}{nearest(name, tuple(known)) or ': one of ' + ', '.join(known)}")
    if to.exists():
        raise UserError(f"{to} is there already")
    write_bytes(to, known[name].read_bytes())
