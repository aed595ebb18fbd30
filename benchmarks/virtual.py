"""What virtual fingers, captures and renders cost on one core (processor time), alone and in batches, and their memory.

python benchmarks/virtual.py [--batch 4] [--repeat 10] [--device cpu]

On another device than the CPU the figures are seconds on the clock.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from fpsynth.finger import Finger, make_fingers
from fpsynth.impression import CaptureSettings, Impression, capture_all
from fpsynth.sensor import draw_device, render_all
from fpsynth.slots import words_of

Work = Callable[[int], object]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    columns = [measured(count, options.repeat, options.device) for count in (1, options.batch)]
    table = Table(title=f"512 x 512, seconds an image, median, {options.device}")
    table.add_column("stage")
    for name in ("alone", f"batch of {options.batch}"):
        table.add_column(name, justify="right")
    for rows in zip(*columns, strict=True):
        table.add_row(rows[0][0], *(value for _, value in rows))
    Console().print(table)


def measured(count: int, repeat: int, device: str) -> list[tuple[str, str]]:
    """(stage, figure) for `count` images at once."""
    rows = [
        (stage, f"{seconds(work, repeat, device) / count:.3f}")
        for stage, work in stages(make_fingers(*seeds(0, count), device), count, device)
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [*rows, ("peak memory of the process, GiB", f"{peak:.2f}")]


def stages(fingers: list[Finger], count: int, device: str) -> Iterator[tuple[str, Work]]:
    """Every stage on `count` images; work(i) draws other ones for each i."""
    taken = shoot(fingers, 0)
    yield "master finger", lambda i: make_fingers(*seeds(i, count), device)
    yield "capture", lambda i: shoot(fingers, i)
    for sensor in words_of("sensor"):
        yield f"render, {sensor}", lambda i, sensor=sensor: draw(taken, sensor, i)
    for sensor in words_of("sensor"):
        yield f"capture + render, {sensor}", lambda i, sensor=sensor: draw(shoot(fingers, i), sensor, i)


def seeds(i: int, count: int) -> tuple[list[np.random.Generator], list[str], list[int]]:
    """Generators, patterns and positions of fingers."""
    return [np.random.default_rng([i, k]) for k in range(count)], ["whorl"] * count, [0] * count


def shoot(fingers: list[Finger], i: int) -> list[Impression]:
    return capture_all(fingers, [CaptureSettings()] * len(fingers), seeds(i, len(fingers))[0])


def draw(taken: list[Impression], sensor: str, i: int) -> torch.Tensor:
    """Images, back on the CPU, each by a device of its own."""
    rngs = seeds(i, len(taken))[0]
    return render_all(taken, [draw_device(sensor, rng) for rng in rngs], rngs).cpu()


def seconds(work: Work, times: int, device: str) -> float:
    """Median seconds of work(1), work(2), ..., after work(0) to warm up."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    work(0)
    spent = []
    for i in range(1, times + 1):
        start = clock()
        work(i)
        spent.append(clock() - start)
    return float(np.median(spent))


if __name__ == "__main__":
    main()
