"""Sections on the terminal: readable at 80 columns and without colour."""

import sys
from collections.abc import Sequence

from fpsynth.inspect.item import Fault
from fpsynth.inspect.sections import Section

NAMED = 20
"""So many faults of one kind are listed."""


def show_sections(sections: Sequence[Section], faults: Sequence[Fault], notices: Sequence[str]) -> None:
    """Print to stdout."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    width = max((len(name) for section in sections for name, _ in section.lines), default=0)
    for section in sections:
        console.print(Text(section.title, style="bold"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(min_width=width)
        for name, value in section.lines:
            grid.add_row(Text(f"  {name}", style="dim"), Text(value))
        console.print(grid)
    for line in fault_lines(faults):
        console.print(Text(line, style="red"))
    for notice in notices:
        console.print(Text(f"Note: {notice}", style="yellow"))
    if not faults:
        console.print(Text("Nothing is broken.", style="green"))


def fault_lines(faults: Sequence[Fault]) -> list[str]:
    """A line for each fault; of many of one kind the first ones, and how many more there are."""
    lines: list[str] = []
    for kind in dict.fromkeys(fault.kind for fault in faults):
        same = [fault for fault in faults if fault.kind == kind]
        lines.extend(f"Broken ({kind}): {fault}" for fault in same[:NAMED])
        if len(same) > NAMED:
            lines.append(f"Broken ({kind}): and {len(same) - NAMED} more")
    return lines
