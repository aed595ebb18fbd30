"""Are the fingers different people's? Every pair of many fingers, compared by NIST's bozorth3.

Each finger is captured once by a virtual optical sensor, and some a second time: what a mated pair scores. All
non-mated pairs are compared, none is left to a screen.

python benchmarks/uniqueness.py [--identities 2000] [--mated 200] [--workers N]
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from fpsynth.finger import make_finger
from fpsynth.gate.extractor import at_500, extractor
from fpsynth.impression import CaptureSettings, capture
from fpsynth.inspect.comparisons import Comparer
from fpsynth.rng import Stream, generator
from fpsynth.sensor import draw_device, render
from fpsynth.vocabulary import NATURAL_SHARES

SEED = 424_242


def main() -> None:
    """Compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=2000)
    parser.add_argument("--mated", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    mated, other = compared(options.identities, options.mated, options.workers)
    table = Table(title=f"bozorth3, {options.identities} virtual fingers, optical")
    for column in ("", "pairs", "median", "99.9 %", "most"):
        table.add_column(column, justify="right" if column else "left")
    for name, scores in (("mated", mated), ("non-mated", other)):
        row = (len(scores), np.median(scores), np.percentile(scores, 99.9), scores.max())
        table.add_row(name, *(f"{value:g}" for value in row))
    Console().print(table)
    for share in (50, 10, 5):
        typical = np.percentile(mated, share)
        print(f"non-mated pairs at or above the mated {share}th percentile ({typical:g}): {(other >= typical).sum()}")


def compared(identities: int, twice: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """Mated and non-mated scores."""
    shots = [(i, 0) for i in range(identities)] + [(i, 1) for i in range(twice)]
    with ProcessPoolExecutor(workers, initializer=partial(torch.set_num_threads, 1)) as pool:
        templates = list(pool.map(template_of, shots, chunksize=8))
    comparer = Comparer(workers)
    mated = comparer.scores(templates, [(i, identities + i) for i in range(twice)])
    other = comparer.scores(templates, [(a, b) for a in range(identities) for b in range(a + 1, identities)])
    return np.array(mated), np.array(other)


def template_of(shot: tuple[int, int]) -> bytes:
    """nbis's template of capture `shot[1]` of finger `shot[0]`."""
    identity, impression = shot
    pattern = generator(SEED, Stream.PLAN, identity).choice(list(NATURAL_SHARES), p=list(NATURAL_SHARES.values()))
    finger = make_finger(generator(SEED, Stream.FINGER, identity), str(pattern))
    rng = generator(SEED, Stream.CAPTURE, identity, impression)
    image = render(capture(finger, CaptureSettings(), rng), draw_device("optical", rng), rng)
    return bytes(extractor().extract_minutiae(at_500(image.numpy(), 500)).to_iso_19794_2_2005())


if __name__ == "__main__":
    main()
