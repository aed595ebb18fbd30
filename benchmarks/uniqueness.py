"""Are the fingers different people's? The most alike of all pairs of many fingers, compared by NIST's bozorth3.

Each finger is captured once by a virtual optical sensor, and some a second time: what a mated pair scores. All
non-mated pairs are screened by the bundled embedding, and the closest compared by bozorth3; how often the screen would
have kept a mated pair is told. `--closest 0` compares every pair.

python benchmarks/uniqueness.py [--identities 2000] [--mated 200] [--closest 20000] [--workers N]
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from fpsynth.extractor.mindtct import extractor, png_at_500
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.inspect.measure.comparisons import Comparer
from fpsynth.inspect.measure.likeness import closest_strangers, cosines, embedder
from fpsynth.inspect.measure.matching import tuples
from fpsynth.rng import Stream, generator
from fpsynth.sensor import draw_device, render
from fpsynth.vocabulary import NATURAL_SHARES

SEED = 424_242


def main() -> None:
    """Compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=2000)
    parser.add_argument("--mated", type=int, default=200)
    parser.add_argument("--closest", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    mated, other, kept = compared(options.identities, options.mated, options.closest, options.workers)
    table = Table(title=f"bozorth3, {options.identities} virtual fingers, optical")
    for column in ("", "pairs", "median", "99.9 %", "most"):
        table.add_column(column, justify="right" if column else "left")
    for name, scores in (("mated", mated), ("non-mated", other)):
        row = (len(scores), np.median(scores), np.percentile(scores, 99.9), scores.max())
        table.add_row(name, *(f"{value:g}" for value in row))
    Console().print(table)
    if options.closest:
        print(f"mated pairs that the screen would have kept: {kept:.1%}")
    for share in (50, 10, 5):
        typical = np.percentile(mated, share)
        print(f"non-mated pairs at or above the mated {share}th percentile ({typical:g}): {(other >= typical).sum()}")


def compared(identities: int, twice: int, closest: int, workers: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Mated and non-mated scores, and the share of mated pairs as alike as the non-mated ones that were compared."""
    shots = [(i, 0) for i in range(identities)] + [(i, 1) for i in range(twice)]
    with ProcessPoolExecutor(workers, initializer=partial(torch.set_num_threads, 1)) as pool:
        templates, vectors = zip(*pool.map(described, shots, chunksize=8), strict=True)
    comparer, alike = Comparer(workers), np.stack(vectors)
    pairs = np.stack([np.arange(twice), identities + np.arange(twice)], 1)
    total = identities * (identities - 1) // 2
    others = closest_strangers(alike[:identities], np.arange(identities), closest or total)
    mated, other = (np.array(comparer.scores(templates, tuples(own))) for own in (pairs, others))
    return mated, other, float((cosines(alike, pairs) >= cosines(alike, others[-1:])).mean())


def described(shot: tuple[int, int]) -> tuple[bytes, np.ndarray]:
    """nbis's template and the embedding of capture `shot[1]` of finger `shot[0]`."""
    identity, impression = shot
    pattern = generator(SEED, Stream.PLAN, identity).choice(list(NATURAL_SHARES), p=list(NATURAL_SHARES.values()))
    finger = make_finger(generator(SEED, Stream.FINGER, identity), str(pattern))
    rng = generator(SEED, Stream.CAPTURE, identity, impression)
    image = render(capture(finger, CaptureSettings(), rng), draw_device("optical", rng), rng).numpy()
    template = bytes(extractor().extract_minutiae(png_at_500(image, 500)).to_iso_19794_2_2005())
    return template, embedder().describe([image]).identity[0]


if __name__ == "__main__":
    main()
