"""Where everything that a person or a script reads goes out: results to stdout, progress and notes to stderr."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import Any, Literal, Protocol

Mode = Literal["human", "json", "quiet", "silent"]
PATIENCE = 15.0
"""Seconds without a line of progress, at most, where there is no terminal."""
Watch = Callable[[str, int, int], None]
"""(what is done, how much of it, of how much)."""


def bear_any_stream() -> None:
    """Take streams as they come: closed ones swallow what is said, and names that are no text are written escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def let_go() -> None:
    """What is still to be written and cannot be goes nowhere: Python would end with an exit code of its own over it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@dataclass(frozen=True)
class Console:
    """human: tables and notes; json: one object on stdout; quiet: no notes, no progress, the briefest result;
    silent: errors alone."""

    mode: Mode = "human"

    def note(self, text: str) -> None:
        """Something worth knowing, on stderr."""
        if self.mode in ("human", "json"):
            self.error(text)

    def error(self, text: str) -> None:
        """What went wrong, on stderr, in every mode. Where it cannot be said, the work goes on."""
        with suppress(OSError):
            print(plain(text), file=sys.stderr, flush=True)

    def result(self, facts: Mapping[str, Any], shown: "Shown | None" = None, brief: str = "") -> None:
        """What the command came to: a table for people, an object for scripts, a word when quiet.

        A reader that has gone away (`| head`) has read enough.
        """
        try:
            if self.mode == "json":
                print(json.dumps(facts, ensure_ascii=False), flush=True)
            elif self.mode == "quiet" and brief:
                print(brief, flush=True)
            elif self.mode == "human" and shown is not None:
                shown.show()
        except BrokenPipeError:
            let_go()

    @contextmanager
    def progress(self, total: int, unit: str, done: int = 0) -> Iterator["Progress"]:
        """A bar with rate and time left on a terminal, else a line a finished piece. done: so many are already."""
        if self.mode == "human" and sys.stderr.isatty():
            with _bar(total, unit, done) as progress:
                yield progress
        else:
            yield Progress(total, unit, self, done, done)

    @contextmanager
    def watch(self) -> Iterator["Watch | None"]:
        """For work that says itself what it does and how far it is: a bar on a terminal, else nothing."""
        if self.mode != "human" or not sys.stderr.isatty():
            yield None
            return
        with _bar(0, "", passing=True) as progress:
            yield progress.watch


class Shown(Protocol):
    """What can print itself to stdout."""

    def show(self) -> None:
        """Print it."""


@dataclass(frozen=True)
class Table:
    """Rows of a name and what is to be said of it."""

    title: str
    rows: Sequence[tuple[str, str]]

    def show(self) -> None:
        """Print it to stdout."""
        from rich.console import Console as Screen
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid(title=Text(self.title), title_justify="left", show_header=False, box=None, pad_edge=False)
        for name, text in self.rows:
            grid.add_row(Text(name, style="bold"), Text(text))
        screen = Screen(file=sys.stdout, highlight=False)
        with screen.capture() as shown:
            screen.print(grid)
        print(shown.get(), end="", flush=True)


@dataclass
class Progress:
    """Counts what is done and tells it line by line."""

    total: int
    unit: str
    console: Console
    done: int = 0
    before: int = 0
    start: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def tick(self, count: int = 1) -> None:
        """So many more are done."""
        self.done += count
        if time.monotonic() - self.told > PATIENCE:
            self._tell("at work")

    def piece(self, name: str) -> None:
        """A piece is finished."""
        self._tell(name)

    def _tell(self, what: str) -> None:
        from tqdm import tqdm

        self.told = time.monotonic()
        self.console.note(
            tqdm.format_meter(
                self.done,
                self.total,
                self.told - self.start,
                ncols=max(100, len(what) + 80),  # a longer line is cut off at its end, where the count is
                prefix=what,
                ascii=True,
                unit=self.unit,
                initial=self.before,
            )
        )


@dataclass
class _Bar(Progress):
    bar: Any = None

    def tick(self, count: int = 1) -> None:
        self.bar.advance(self.bar.task_ids[0], count)

    def piece(self, name: str) -> None:
        self.bar.update(self.bar.task_ids[0], description=name)

    def watch(self, what: str, done: int, total: int) -> None:
        """So far is this now."""
        self.bar.update(self.bar.task_ids[0], description=what, completed=done, total=total)


@contextmanager
def _bar(total: int, unit: str, done: int = 0, passing: bool = False) -> Iterator["_Bar"]:
    from rich import progress as parts
    from rich.console import Console as Screen

    columns = (
        parts.SpinnerColumn(),
        parts.TextColumn("{task.description}"),
        parts.BarColumn(),
        parts.MofNCompleteColumn(),
        parts.TextColumn(unit),
        parts.TimeElapsedColumn(),
        parts.TextColumn("left"),
        parts.TimeRemainingColumn(),
    )
    with parts.Progress(*columns, console=Screen(file=sys.stderr), transient=passing) as bar:
        bar.add_task("starting", total=total, completed=done)
        yield _Bar(total, unit, Console(), bar=bar)


def clock(seconds: float) -> str:
    """1:02:03, or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def size(count: float) -> str:
    """A number of bytes as people read it."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"


def plain(text: str) -> str:
    """Without characters that would steer a terminal: names in other people's files may hold them."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)
