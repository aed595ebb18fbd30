"""Our own minutiae extractor beside mindtct: against the truth of a dataset, or against each other without one.

python benchmarks/extractors.py PATH [--every 20]

PATH is anything that `fpsynth inspect` takes. Where it has a truth, the verdicts of a gate are compared too: with the
limits that captures of these words have, and with .85 and .15 for all; and how many each fails by the usual limits of
images whose left half is another's. What can be asked for is what mindtct says of the same images with a little noise
in them. Needs the extra `judges`.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from fpsynth.dataset.item import Item
from fpsynth.dataset.reader.source import open_source
from fpsynth.extractor import PPI, Extractor, Found, Tally, compare, extract
from fpsynth.extractor.match import STRONG
from fpsynth.gate import Asked, Limits
from fpsynth.inspect.measure.image import decode

Rows = dict[str, list[Tally]]
NOISE = 1.0
"""Deviation, in grey levels, of what is added to see how steady mindtct is."""


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
    for line in verdicts([item for item in items if item.minutiae is not None]):
        Console().print(line)


def verdicts(items: Sequence[Item]) -> Iterator[str]:
    """How often both extractors pass or fail the same images, and how many of mindtct's failures ours fails too."""
    if not items:
        return
    planted = list(map(spoilt, items, items[1:]))
    for extractor in ("mindtct", "skeleton"):
        caught = sum(not passes(item, extractor, tally(item, extractor)) for item in planted)
        yield f"{extractor} fails {caught} of {len(planted)} that are half wrong"
    seen: dict[str, tuple[Extractor, list[Tally]]] = {
        "mindtct": ("mindtct", [tally(item, "mindtct") for item in items]),
        "ours": ("skeleton", [tally(item, "skeleton") for item in items]),
        f"mindtct with noise of {NOISE:g} grey level": (
            "mindtct",
            [tally(noisy(item, number), "mindtct") for number, item in enumerate(items)],
        ),
    }
    for name, asked in (("usual limits", None), (".85 and .15", Limits(0.85, 0.15))):
        said = {
            who: [passes(item, extractor, one, asked) for item, one in zip(items, tallies, strict=True)]
            for who, (extractor, tallies) in seen.items()
        }
        nist = said.pop("mindtct")
        yield from (f"{name}, {who}: {beside(nist, other)}" for who, other in said.items())


def beside(nist: Sequence[bool], other: Sequence[bool]) -> str:
    """Verdicts against mindtct's."""
    failed = [own for passed, own in zip(nist, other, strict=True) if not passed]
    agree = sum(passed == own for passed, own in zip(nist, other, strict=True))
    return f"{agree} of {len(nist)} verdicts agree with mindtct's; {failed.count(False)} of its {len(failed)} failures"


def noisy(item: Item, seed: int) -> Item:
    """The item with noise that no eye sees."""
    image = decode(item.encoded)
    grain = np.random.default_rng(seed).normal(0, NOISE, image.shape)
    return replace(item, encoded=png(np.clip(image + grain, 0, 255).round().astype(np.uint8)))


def png(image: np.ndarray) -> bytes:
    """A grey image, encoded."""
    return cv2.imencode(".png", image)[1].tobytes()


def spoilt(item: Item, other: Item) -> Item:
    """The item with another's left half."""
    image, wrong = decode(item.encoded).copy(), decode(other.encoded)
    half = image.shape[1] // 2
    image[:, :half] = cv2.resize(wrong, image.shape[::-1])[:, :half]
    return replace(item, encoded=png(image))


def tally(item: Item, extractor: Extractor) -> Tally:
    """What of the truth is found, without the contact that only a run knows."""
    ppi = item.ppi or PPI
    truth = [m._replace(x=m.x * PPI / ppi, y=m.y * PPI / ppi) for m in item.minutiae or []]
    return compare(truth, found(extractor, item))


def passes(item: Item, extractor: Extractor, seen: Tally, asked: Limits | None = None) -> bool:
    """The verdict on that; None: by the limits that captures of these words have."""
    limits = asked or Asked(item.words).limits(len(item.minutiae or []), extractor)
    return seen.recall >= limits.recall and seen.spurious <= limits.spurious


def found(extractor: Extractor, item: Item) -> list[Found]:
    """Minutiae of an item's image, pixels at 500 ppi."""
    return extract(extractor, decode(item.encoded), item.ppi or PPI)


def measured(items: Sequence[Item]) -> tuple[Rows, float]:
    """Tallies by what is compared, and the processor seconds of our own extractor."""
    rows: Rows = defaultdict(list)
    seconds = 0.0
    for item in items:
        start = time.process_time()
        own = found("skeleton", item)
        seconds += time.process_time() - start
        for name, tally in tallies(item, own, found("mindtct", item), PPI / (item.ppi or PPI)):
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
