"""A run that dies, or finds the disk full, at each of its writes in turn, and the same run once more.

    python -m tests.crash_points [--step 1]        prints the table of docs/reliability.md

A write is whatever makes, renames or removes a file or a folder below the dataset, as Python's audit hooks tell it.
Every run is a process of its own, forked from one that has loaded everything.
"""

import argparse
import errno
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fpsynth.dataset import DatasetSpec, DatasetWriter
from fpsynth.errors import UserError
from tests.dataset.rows import shard

Fault = Literal["killed", "disk full"]
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Job:
    """A dataset of three shards; overwrite: one of another recipe lies in its place."""

    form: str
    overwrite: bool

    def spec(self, recipe: str = "abc") -> DatasetSpec:
        sidecars, provenance = ("iso19794-2", "xyt"), {"recipe": recipe}
        splits = {"train": 2, "test": 1}
        return DatasetSpec(name="t", splits=splits, format=self.form, sidecars=sidecars, provenance=provenance)

    def begin(self, root: Path) -> None:
        """What lies there before."""
        if self.overwrite:
            make(root, self.spec("older"), False)

    def run(self, root: Path) -> None:
        make(root, self.spec(), self.overwrite)


def make(root: Path, spec: DatasetSpec, overwrite: bool) -> None:
    """As `fpsynth generate` writes it."""
    writer = DatasetWriter(root, spec)
    with writer.alone():
        writer.prepare(overwrite)
        for index in writer.missing():
            writer.write(index, shard(index))
        writer.finish()


def on_write(root: Path, act: Callable[[], None]) -> None:
    """Call `act` before each write below root, from now on, in this process."""
    inside = (str(root), str(root) + os.sep)

    def hook(event: str, args: tuple) -> None:
        writes = event in WRITES or (event == "open" and isinstance(args[2], int) and args[2] & WRITING)
        if writes and isinstance(args[0], str | os.PathLike) and os.fspath(args[0]).startswith(inside):
            act()

    sys.addaudithook(hook)


def in_child(work: Callable[[], int]) -> int:
    """The exit code of work in a forked process, or minus the signal that it died of."""
    child = os.fork()
    if not child:
        code = 99
        try:
            code = work()
        except OSError as error:
            code = 28 if error.errno == errno.ENOSPC else 98
        except UserError:
            code = 2
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status)


def writes_of(job: Job, root: Path) -> int:
    """How often an undisturbed run writes."""
    tally = root.with_name("tally")

    def counted() -> int:
        with open(tally, "ab", buffering=0) as dots:
            on_write(root, lambda: dots.write(b"."))
            job.run(root)
        return 0

    assert in_child(counted) == 0
    return tally.stat().st_size


def faulty(job: Job, root: Path, point: int, fault: Fault) -> int:
    """A run that meets its fault at a write, counted from 0."""

    def met() -> int:
        left = point

        def act() -> None:
            nonlocal left
            left -= 1
            if left == -1 and fault == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if left < 0 and fault == "disk full":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        on_write(root, act)
        job.run(root)
        return 0

    return in_child(met)


def _well(work: Callable[[], None]) -> int:
    """Work in a child that nothing befalls: 0 where it ended well."""

    def ended() -> int:
        work()
        return 0

    return in_child(ended)


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def points(job: Job, home: Path, fault: Fault, step: int = 1) -> Iterator[str | None]:
    """For every step-th write: None where the run after it made the whole dataset, the same bytes and nothing else,
    or what went wrong."""
    whole, root = home / "whole", home / "faulty"
    _well(lambda: job.begin(whole))
    count = writes_of(job, whole)
    assert count > 10
    wanted = content(whole)
    for point in range(0, count, step):
        shutil.rmtree(root, ignore_errors=True)
        _well(lambda: job.begin(root))
        code = faulty(job, root, point, fault)
        expected = -signal.SIGKILL if fault == "killed" else 28
        again = _well(lambda: job.run(root))
        if code not in (expected, 0, 2) or again:
            yield f"write {point}: ended with {code}, and once more with {again}"
        else:
            yield None if content(root) == wanted else f"write {point}: other files than an undisturbed run's"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=1)
    step = parser.parse_args().step
    print("| format | run | fault | at so many writes | not taken up, or other bytes |\n|---|---|---|---|---|")
    for form in ("parquet", "png", "webdataset"):
        for overwrite in (False, True):
            for fault in ("killed", "disk full"):
                with tempfile.TemporaryDirectory() as home:
                    found = list(points(Job(form, overwrite), Path(home), fault, step))
                wrong = [line for line in found if line]
                run = "over another dataset" if overwrite else "new"
                print(f"| {form} | {run} | {fault} | {len(found)} | {len(wrong)} |", flush=True)
                for line in wrong:
                    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
