"""`fpsynth inspect PATH`: a dataset, a recipe or a model, told in figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpsynth.errors import UserError
from fpsynth.inspect.measure.fault import Fault
from fpsynth.inspect.report.section import Section
from fpsynth.inspect.report.terminal import show_sections

DONE, SHORT = 0, 3
RECIPES = (".yaml", ".yml")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to look, and what to write.

    judges: None for where they are installed. limit: images that are looked at in depth. ppi: of plain folders.
    html: a report file. sheet: a contact sheet (PNG). against: a second dataset. reference: a folder of real images.
    training: a folder of the images that the model was trained on.
    """

    judges: bool | None = None
    html: Path | None = None
    sheet: Path | None = None
    against: Path | None = None
    reference: Path | None = None
    training: Path | None = None
    limit: int = 2000
    ppi: float = 500
    workers: int | None = None
    cache: bool = True


@dataclass(frozen=True)
class Look:
    """What was seen: figures for a script, sections for a person, faults for the exit code."""

    figures: dict[str, Any]
    sections: Sequence[Section]
    faults: Sequence[Fault] = ()
    notices: Sequence[str] = field(default_factory=tuple)

    @property
    def exit_code(self) -> int:
        """0, or 3 where something is broken."""
        return SHORT if self.faults else DONE

    def show(self) -> None:
        """Print the sections, then what is broken and what is worth knowing, to stdout."""
        sound = "The recipe is sound." if self.figures["kind"] == "recipe" else "Nothing is broken."
        show_sections(self.sections, self.faults, self.notices, sound)


def inspect_path(path: Path, options: Options | None = None, progress: Any = None) -> Look:
    """Look at what lies at path. Raises UserError where nothing does, or nothing that can be looked at."""
    options = options or Options()
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    if path.is_file() and path.suffix.lower() in RECIPES:
        from fpsynth.inspect.look.recipe import look_at_recipe

        return look_at_recipe(path)
    if (path / "model_index.json").exists():
        from fpsynth.inspect.look.model import look_at_model

        return look_at_model(path)
    from fpsynth.inspect.look.dataset import look_at_dataset

    return look_at_dataset(path, options, progress)
