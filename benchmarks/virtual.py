"""What a virtual finger, a capture and a render cost on one core (processor time), and the memory that they take.

python benchmarks/virtual.py [--fingers 4] [--repeat 5]
"""

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from fpsynth.finger import Finger, make_finger
from fpsynth.impression import CaptureSettings, Impression, capture
from fpsynth.sensor import Device, draw_device, render
from fpsynth.vocabulary import SENSORS


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fingers", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title="512 x 512, processor seconds of one core")
    table.add_column("stage")
    table.add_column("seconds, median", justify="right")
    for stage, value in measured(options.fingers, options.repeat):
        table.add_row(stage, f"{value:.3f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    table.add_row("peak memory of the process", f"{peak:.2f} GiB")
    Console().print(table)


def measured(fingers: int, repeat: int) -> list[tuple[str, float]]:
    """(stage, median seconds)."""
    rows, grown, spent = [], [], []
    for i in range(fingers + 1):
        start = time.process_time()
        grown.append(make_finger(np.random.default_rng(i), "whorl"))
        spent.append(time.process_time() - start)
    rows.append(("master finger", float(np.median(spent[1:]))))
    rows.append(("capture", median(lambda i: shoot(grown, i), fingers * repeat)))
    taken = [shoot(grown, i) for i in range(fingers)]
    for sensor in SENSORS:
        device = draw_device(sensor, np.random.default_rng(1))
        rows.append((f"render, {sensor}", median(partial(draw, taken, device), fingers * repeat)))
    return rows


def shoot(fingers: list[Finger], i: int) -> Impression:
    return capture(fingers[i % len(fingers)], CaptureSettings(), np.random.default_rng(i))


def draw(taken: list[Impression], device: Device, i: int) -> torch.Tensor:
    return render(taken[i % len(taken)], device, np.random.default_rng(i))


def median(work: Callable[[int], object], times: int) -> float:
    """Median processor seconds of work(1), work(2), ..., after work(0) to warm up."""
    work(0)
    spent = []
    for i in range(1, times + 1):
        start = time.process_time()
        work(i)
        spent.append(time.process_time() - start)
    return float(np.median(spent))


if __name__ == "__main__":
    main()
