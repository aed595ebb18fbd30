"""How well fingers are rebuilt from templates and from prints.

    python benchmarks/rebuild.py [--fingers 100] [--images FOLDER] [--workers N]

The prints are virtual ones, whose templates are their truth, or those of --images (FINGER_IMPRESSION.png, the first
impression of each finger), whose templates are mindtct's. One finger is rebuilt from the template and one from the
print, and each is captured twice by a virtual optical sensor. recall, spurious: the template's minutiae in the rebuilt
master, within 12 pixels and 30 degrees, in the hull of the template. The rest is bozorth3: the first capture against
the print that it comes from, against the prints of other fingers, and against the second capture.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from fpsynth.extractor.mindtct import extract, extractor, png_at_500
from fpsynth.finger import Finger, Known, make_finger, rebuild
from fpsynth.impression import CaptureSettings, capture
from fpsynth.making.source import from_print, from_template
from fpsynth.minutiae import Minutia, iso19794
from fpsynth.minutiae.record import Record, View, best
from fpsynth.rng import Stream, generator
from fpsynth.sensor import draw_device, render
from fpsynth.vocabulary import PATTERNS

SEED = 31_337
NEAR, TURNED, HULL = 12, 30, 10


@dataclass(frozen=True)
class Outcome:
    """Of one finger that was rebuilt: shares of its minutiae, and nbis's templates of the print and two captures."""

    recall: float
    spurious: float
    templates: tuple[bytes, bytes, bytes]


def main() -> None:
    """Rebuild and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fingers", type=int, default=100)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    table = Table(title=f"rebuilt, {options.images or f'{options.fingers} virtual fingers'}")
    for column in ("from", "recall", "spurious", "to the print", "non-mated 99.9 %", "above it", "two captures"):
        table.add_column(column, justify="right")
    prints = sorted(options.images.glob("*_1.*"))[: options.fingers] if options.images else range(options.fingers)
    with ProcessPoolExecutor(options.workers, initializer=partial(torch.set_num_threads, 1)) as pool:
        for kind in ("minutiae", "prints"):
            table.add_row(kind, *figures(list(pool.map(partial(rebuilt, kind=kind), prints))))
    Console().print(table)


def figures(outcomes: list[Outcome]) -> list[str]:
    """The cells of a line."""
    load = extractor().load_iso_19794_2_2005
    loaded = [[load(template) for template in one.templates] for one in outcomes]
    scores = np.array([[a[1].compare(b[0]) for b in loaded] for a in loaded])
    again = [own[1].compare(own[2]) for own in loaded]
    other = np.percentile(scores[~np.eye(len(scores), dtype=bool)], 99.9)
    means = (np.mean([getattr(one, name) for one in outcomes]) for name in ("recall", "spurious"))
    own = scores.diagonal()
    cells = [f"{np.median(own):g}", f"{other:g}", f"{np.mean(own > other):.0%}", f"{np.median(again):g}"]
    return [*(f"{mean:.3f}" for mean in means), *cells]


def rebuilt(source: int | Path, kind: str) -> Outcome:
    """A print rebuilt by its template or by itself."""
    image, minutiae = virtual(source) if isinstance(source, int) else real(source)
    with TemporaryDirectory() as folder:
        template, picture = Path(folder) / "print.fmr", Path(folder) / "print.png"
        record = Record(image.shape[1], image.shape[0], (View(best(minutiae)),))
        template.write_bytes(iso19794.encode(record))
        picture.write_bytes(png_at_500(image, 500))
        asked, known = from_template(template), from_print(picture, 500)
    finger = rebuild(asked if kind == "minutiae" else known, np.random.default_rng(SEED))
    shots = (image, *(shot(finger, number) for number in (1, 2)))
    recall, spurious = kept(known if kind == "prints" else asked, finger)
    return Outcome(recall, spurious, tuple(nist(one) for one in shots))


def virtual(number: int) -> tuple[np.ndarray, tuple[Minutia, ...]]:
    """A print of finger `number`, and what is truly in it."""
    finger = make_finger(generator(SEED, Stream.FINGER, number), PATTERNS[number % len(PATTERNS)])
    rng = generator(SEED, Stream.CAPTURE, number)
    impression = capture(finger, CaptureSettings(), rng)
    return render(impression, draw_device("optical", rng), rng).numpy(), impression.minutiae


def real(path: Path) -> tuple[np.ndarray, list[Minutia]]:
    """A print from a file at 500 ppi, and mindtct's minutiae of it."""
    image = np.asarray(Image.open(path).convert("L"))
    return image, [Minutia(m.x, m.y, m.angle, "ending", round(100 * m.reliability)) for m in extract(image, 500)]


def shot(finger: Finger, number: int) -> np.ndarray:
    """A capture of a rebuilt finger."""
    rng = generator(SEED, Stream.CAPTURE, 10**6, number)
    return render(capture(finger, CaptureSettings(), rng), draw_device("optical", rng), rng).numpy()


def nist(image: np.ndarray) -> bytes:
    """nbis's template of an image at 500 ppi."""
    return bytes(extractor().extract_minutiae(png_at_500(image, 500)).to_iso_19794_2_2005())


def kept(known: Known, finger: Finger) -> tuple[float, float]:
    """Of the known minutiae those in the finger; of the finger's, in the hull of the known, those that nobody knew."""
    hull: Any = cv2.convexHull(np.array([(m.x, m.y) for m in known.minutiae], np.float32))
    inside = [m for m in finger.minutiae if cv2.pointPolygonTest(hull, (m.x, m.y), True) > -HULL]
    near = np.array([[alike(a, b) for b in inside] for a in known.minutiae])
    return float(near.any(1).mean()), float(1 - near.any(0).mean())


def alike(a: Minutia, b: Minutia) -> bool:
    """Whether they are the same."""
    return float(np.hypot(a.x - b.x, a.y - b.y)) < NEAR and abs((a.angle - b.angle + 180) % 360 - 180) < TURNED


if __name__ == "__main__":
    main()
