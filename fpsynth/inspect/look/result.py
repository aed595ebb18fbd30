"""What is asked of a look, and what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpsynth.inspect.measure.fault import Fault
from fpsynth.inspect.report.section import Section
from fpsynth.inspect.report.terminal import show_sections

DONE, SHORT = 0, 3


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to look, and what to write.

    judges: None for where they are installed. limit: images that are looked at in depth. ppi: of plain folders.
    html: a report file. sheet: a contact sheet (PNG). recipe: a recipe that makes prints like these, to be written.
    against: a second dataset. reference: one of real images. training: one of the images that the model was trained on.
    """

    judges: bool | None = None
    html: Path | None = None
    sheet: Path | None = None
    recipe: Path | None = None
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
