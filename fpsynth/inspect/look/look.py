"""`fpsynth inspect PATH`: a dataset, a recipe or a model, told in figures."""

from pathlib import Path
from typing import Any

from fpsynth.errors import UserError
from fpsynth.inspect.look.result import Look, Options

RECIPES = (".yaml", ".yml")
OF_IMAGES = ("sheet", "html", "recipe", "against", "reference", "training")
"""Options that nothing but a dataset can follow."""


def inspect_path(path: Path, options: Options | None = None, progress: Any = None) -> Look:
    """Look at what lies at path. Raises UserError where nothing does, or nothing that can be looked at."""
    options = options or Options()
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    if path.is_file() and path.suffix.lower() in RECIPES:
        _images_wanted(path, options, "a recipe")
        from fpsynth.inspect.look.recipe import look_at_recipe

        return look_at_recipe(path)
    if (path / "model_index.json").exists():
        _images_wanted(path, options, "a model")
        from fpsynth.inspect.look.model import look_at_model

        return look_at_model(path)
    from fpsynth.inspect.look.dataset import look_at_dataset

    return look_at_dataset(path, options, progress)


def _images_wanted(path: Path, options: Options, what: str) -> None:
    if said := [f"--{name}" for name in OF_IMAGES if getattr(options, name) is not None]:
        raise UserError(f"{', '.join(said)}: there are no images in {path}, which is {what}")
