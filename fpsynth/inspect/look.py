"""`fpsynth inspect PATH`: a dataset, a recipe or a model, told in figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpsynth.errors import UserError
from fpsynth.inspect.item import Fault, as_dict
from fpsynth.inspect.record import Record
from fpsynth.inspect.sections import Section
from fpsynth.inspect.terminal import show_sections

DONE, SHORT = 0, 3
RECIPES = (".yaml", ".yml")


@dataclass(frozen=True)
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
        from fpsynth.inspect.recipe_look import look_at_recipe

        return Look(*look_at_recipe(path))
    if (path / "model_index.json").exists():
        from fpsynth.inspect.model_look import look_at_model

        return Look(*look_at_model(path))
    return _dataset(path, options, progress)


def _realism(records: Sequence[Record], reference: Path, depth: Any, progress: Any) -> dict[str, Any]:
    """Figures against a folder of real images."""
    from fpsynth.inspect.dataset_look import scan_dataset
    from fpsynth.inspect.realism import realism

    return realism(records, scan_dataset(reference, depth, progress))


def _privacy(look: Any, training: Path, depth: Any, progress: Any) -> dict[str, Any]:
    """Figures against a folder of training images."""
    from fpsynth.inspect.dataset_look import comparer, scan_dataset
    from fpsynth.inspect.privacy import privacy

    judge = comparer(depth, progress) if look.judged else None
    return privacy(look.records, scan_dataset(training, depth, progress), look.scores, judge)


def _dataset(path: Path, options: Options, progress: Any) -> Look:
    from fpsynth.inspect.dataset_look import Depth, look_at_dataset
    from fpsynth.inspect.sections import beside, dataset_sections

    depth = Depth(options.judges, options.limit, options.ppi, options.workers, options.cache)
    look = look_at_dataset(path, depth, progress)
    if options.reference is not None:
        look.figures["realism"] = _realism(look.records, options.reference, depth, progress)
    if options.training is not None:
        look.figures["privacy"] = _privacy(look, options.training, depth, progress)
    figures = {"path": str(path), **look.figures, "faults": [as_dict(f) for f in look.faults], "notices": look.notices}
    sections, faults = dataset_sections(look.figures), list(look.faults)
    if options.against is not None:
        other = look_at_dataset(options.against, depth, progress)
        faults += other.faults
        figures["against"] = {"path": str(options.against), **other.figures}
        sections = beside(sections, dataset_sections(other.figures), path.name, options.against.name)
    if options.sheet is not None:
        from fpsynth.inspect.sheet import write_sheet

        write_sheet(look, options.sheet)
    if options.html is not None:
        from fpsynth.inspect.html import write_report

        write_report(look, options.html)
    return Look(figures, sections, faults, look.notices)
