"""Our own minutiae extractor beside mindtct: against the truth of a dataset, or against each other without one.

python benchmarks/extractors.py PATH [--every 20]

PATH is anything that `fpsynth inspect` takes. Needs the extra `judges`.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from fpsynth.dataset.item import Item
from fpsynth.dataset.reader.source import open_source
from fpsynth.extractor import PPI, Found, Tally, compare, extract
from fpsynth.extractor.match import STRONG
from fpsynth.inspect.measure.image import decode

Rows = dict[str, list[Tally]]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--every", type=int, default=1, help="only every n-th image")
    options = parser.parse_args()
    torch.set_num_threads(1)
    items = [item for unit in open_source(options.path, None).units for item in unit.read()][:: options.every]
    rows, seconds = measured(items)
    table = Table(title=f"{len(items)} images; ours: {seconds / len(items):.3f} CPU s each")
    for name in ("", "recall", "spurious"):
        table.add_column(name)
    for name, tallies in rows.items():
        total = Tally(*(sum(column) for column in zip(*tallies, strict=True)))
        table.add_row(name, f"{total.recall:.1%}", f"{total.spurious:.1%}")
    Console().print(table)


def measured(items: Sequence[Item]) -> tuple[Rows, float]:
    """Tallies by what is compared, and the processor seconds of our own extractor."""
    rows: Rows = defaultdict(list)
    seconds = 0.0
    for item in items:
        image, ppi = decode(item.encoded), item.ppi or PPI
        start = time.process_time()
        own = extract("skeleton", image, ppi)
        seconds += time.process_time() - start
        for name, tally in tallies(item, own, extract("mindtct", image, ppi), PPI / ppi):
            rows[name].append(tally)
    return dict(sorted(rows.items())), seconds


def tallies(item: Item, own: list[Found], nist: list[Found], scale: float) -> Iterator[tuple[str, Tally]]:
    """Each against the truth, over all images and those of one quality; else each against the other's strong ones."""
    if item.minutiae is None:
        yield "mindtct's strong ones by ours", compare([f for f in nist if f.reliability >= STRONG], own)
        yield "our strong ones by mindtct", compare([f for f in own if f.reliability >= STRONG], nist)
        return
    truth = [m._replace(x=m.x * scale, y=m.y * scale) for m in item.minutiae]
    for group in ("all", item.words.get("quality") or "other"):
        yield f"{group}, ours", compare(truth, own)
        yield f"{group}, mindtct", compare(truth, nist)


if __name__ == "__main__":
    main()
