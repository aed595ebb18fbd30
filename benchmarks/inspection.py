"""What a look at a dataset costs: seconds, images a second, and the memory of all its processes.

python benchmarks/inspection.py DATASET [--limit 2000] [--workers 2]

The processor seconds are those of all processes: on other machines or busy ones they say more than the clock.
Memory is resident memory, looked up several times a second: of the first process, of its largest child, and the most
that all took together (pages that they share are counted for each of them).
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from rich.console import Console
from rich.table import Table

PAUSE = 0.1
"""Seconds between two looks at the memory."""
WAYS = {"--judges": "NIST's tools", "--own": "own extractor", "--no-judges": "no extractor"}
COLUMNS = ("images", "s", "CPU s", "images/s", "parent", "child", "all")
OWN = (
    "import sys, fpsynth.extractor.mindtct as m; m.missing = lambda: 'not wanted'; "
    "from fpsynth.cli import main; sys.argv.remove('--own'); main()"
)
"""The command line where NIST's tools seem to be missing."""


@dataclass(frozen=True)
class Cost:
    """Images, seconds by the clock and of processors, bytes: the first process, its largest child, all together."""

    images: int
    seconds: float
    processor: float
    parent: int
    child: int
    together: int


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    table = Table(title=f"fpsynth inspect, {options.workers} processes, nothing kept; memory in MiB")
    table.add_column("judged by")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for flag, name in WAYS.items():
        cost = look(options.dataset, flag, options.limit, options.workers)
        memory = (f"{size / 2**20:.0f}" for size in (cost.parent, cost.child, cost.together))
        times = f"{cost.seconds:.0f}", f"{cost.processor:.0f}", f"{cost.images / cost.seconds:.1f}"
        table.add_row(name, str(cost.images), *times, *memory)
    Console().print(table)


def look(dataset: Path, flag: str, limit: int, workers: int) -> Cost:
    """Run the command, and watch it."""
    command = [sys.executable, *(["-c", OWN] if flag == "--own" else ["-m", "fpsynth"]), "inspect", str(dataset)]
    command += [flag, "--no-cache", "--json", "--limit", str(limit), "--workers", str(workers)]
    start, used = time.monotonic(), processor()
    with TemporaryFile() as out:
        memory = watch(subprocess.Popen(command, stdout=out))
        out.seek(0)
        return Cost(json.load(out)["images"], time.monotonic() - start, processor() - used, *memory)


def processor() -> float:
    """Processor seconds of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def watch(process: subprocess.Popen[bytes]) -> tuple[int, int, int]:
    """The most bytes of the first process, of one of its children, of all together, until it ends."""
    parent = child = together = 0
    while process.poll() is None:
        first, *others = (resident(number) for number in family(process.pid))
        parent, child = max(parent, first), max(child, *others, 0)
        together = max(together, first + sum(others))
        time.sleep(PAUSE)
    return parent, child, together


def family(number: int) -> Iterator[int]:
    """A process and all below it."""
    yield number
    try:
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def resident(number: int) -> int:
    """Bytes that a process has in memory; 0 where it has ended."""
    try:
        status = Path(f"/proc/{number}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0 kB")
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
