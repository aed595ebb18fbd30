"""Sections on the terminal: readable at 80 columns and without colour."""

import sys
import textwrap
from collections.abc import Iterator, Sequence

from fpsynth.console import plain
from fpsynth.inspect.measure.fault import Fault
from fpsynth.inspect.report.section import Section

NAMED = 20
"""So many faults of one kind are listed."""


def show_sections(
    sections: Sequence[Section], faults: Sequence[Fault], notices: Sequence[str], sound: str = "Nothing is broken."
) -> None:
    """Print to stdout; sound is said where there are no faults."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    column = max((len(name) for section in sections for name, _ in section.lines), default=0) + 4
    for section in sections:
        console.print(Text(section.title, style="bold"))
        for name, value in section.lines:
            for head, text in _wrapped(f"  {name}", value, column, console.width):
                console.print(Text.assemble((head, "dim"), text))
        console.print()
    for line in fault_lines(faults):
        console.print(Text("\n".join(_rows(line, console.width, "  ")), style="red"))
    for notice in notices:
        console.print(Text("\n".join(_rows(f"Note: {notice}", console.width, "  ")), style="yellow"))
    if not faults:
        console.print(Text(sound, style="green"))


def _wrapped(name: str, value: str, column: int, width: int) -> Iterator[tuple[str, str]]:
    """A name and its value from this column on, on as many lines as it takes; no blanks at the end of a line."""
    rows = [row for line in value.splitlines() for row in _rows(line, max(width - column, 20))]
    yield (name.ljust(column), rows[0]) if rows else (name, "")
    yield from ((" " * column, row) for row in rows[1:])


def _rows(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(plain(text), width, subsequent_indent=indent, break_on_hyphens=False)


def fault_lines(faults: Sequence[Fault]) -> list[str]:
    """A line for each fault; of many of one kind the first ones, and how many more there are."""
    lines: list[str] = []
    for kind in dict.fromkeys(fault.kind for fault in faults):
        same = [fault for fault in faults if fault.kind == kind]
        lines.extend(f"Broken ({kind}): {fault}" for fault in same[:NAMED])
        if len(same) > NAMED:
            lines.append(f"Broken ({kind}): and {len(same) - NAMED} more")
    return lines
