"""Can fingerprints be told from a reference by their minutiae alone? A two-sample test on minutiae-pair histograms.

After Gottschlich & Huckemann, "Separating the real from the synthetic: minutiae histograms as fingerprints of
fingerprints", arXiv 1304.5409: the distances and direction differences of all pairs of mindtct's minutiae of a print.
Each set is a dataset or a folder of FINGER_IMPRESSION images.

python benchmarks/minutiae_histogram.py REFERENCE SET [SET ...] [--permutations 499]

distance   earth mover's distance of the sets' mean histograms; one bin of distance or direction is 1
p          of the energy distance of the histograms, when fingers change sets by chance
told apart prints that lie nearer their own set's mean histogram than the other's, their own finger left out;
           balanced over the two sets, 50 % is chance
equal      the last two for parts of the set that have as many fingers as the reference: the mean of 20 parts drawn at
           random and their 5th to 95th percentile. The more prints, the smaller a p the same difference gives.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.distance import cdist

from fpsynth.inspect.measure.dataset import Depth, scan_dataset
from fpsynth.inspect.measure.realism import minutiae_distance, pair_histograms

PARTS = 20


@dataclass(frozen=True)
class Prints:
    """Pair histograms (n, bins) and the finger of each."""

    histograms: np.ndarray
    fingers: np.ndarray

    def part(self, fingers: np.ndarray) -> "Prints":
        """The prints of these fingers."""
        chosen = np.isin(self.fingers, fingers)
        return Prints(self.histograms[chosen], self.fingers[chosen])


def main() -> None:
    """Compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--permutations", type=int, default=499)
    options = parser.parse_args()
    table = Table(title=f"minutiae pairs against {options.reference.name}")
    for column in ("set", "prints", "distance", "p", "told apart", "p, equal", "told apart, equal"):
        table.add_column(column, justify="left" if column == "set" else "right")
    reference = read(options.reference)
    for path in options.sets:
        prints = read(path)
        distance = minutiae_distance(prints.histograms, reference.histograms)
        chance, apart = p_value(prints, reference, options.permutations), told_apart(prints, reference)
        figures = f"{distance:.2f}", f"{chance:.3f}", f"{apart:.0%}"
        table.add_row(path.name, str(len(prints.fingers)), *figures, *equal(prints, reference, options.permutations))
    Console().print(table)


def read(path: Path) -> Prints:
    """The prints of a dataset or folder that have at least one pair of minutiae."""
    depth = Depth(judges=True, workers=1, cache=False)
    records = [r for r in scan_dataset(path, depth, None) if r.judged is not None]
    histograms, fingers = pair_histograms(records), np.array([r.identity for r in records])
    paired = histograms.sum(1) > 0
    return Prints(histograms[paired], fingers[paired])


def equal(prints: Prints, reference: Prints, permutations: int) -> tuple[str, str]:
    """p and told apart over parts with as many fingers as the reference; empty for a set that has no more."""
    fingers, count, rng = np.unique(prints.fingers), len(np.unique(reference.fingers)), np.random.default_rng(1)
    if len(fingers) <= count:
        return "", ""
    parts = [prints.part(rng.permutation(fingers)[:count]) for _ in range(PARTS)]
    chances = [p_value(part, reference, permutations) for part in parts]
    return spread(chances, ".2f"), spread([told_apart(part, reference) for part in parts], ".0%")


def spread(values: list[float], form: str) -> str:
    low, high = np.percentile(values, (5, 95))
    return f"{np.mean(values):{form}} ({low:{form}} to {high:{form}})"


def p_value(a: Prints, b: Prints, permutations: int) -> float:
    """Share of random exchanges of whole fingers whose energy distance is at least as large."""
    gaps = cdist(*[np.concatenate([a.histograms, b.histograms])] * 2)
    names = [f"a{f}" for f in a.fingers] + [f"b{f}" for f in b.fingers]
    fingers, of = np.unique(names, return_inverse=True)
    first = np.array([name.startswith("a") for name in fingers])
    rng, seen = np.random.default_rng(0), energy(gaps, first[of])
    as_large = sum(energy(gaps, rng.permutation(first)[of]) >= seen for _ in range(permutations))
    return float(1 + as_large) / (1 + permutations)


def energy(gaps: np.ndarray, first: np.ndarray) -> float:
    """The energy distance between the chosen and the others, from all distances (n, n)."""
    between, one, other = gaps[first][:, ~first], gaps[first][:, first], gaps[~first][:, ~first]
    return float(2 * between.mean() - one.mean() - other.mean())


def told_apart(a: Prints, b: Prints) -> float:
    """Mean over both sets of the share of prints nearer to their own mean."""
    return (share_nearer(a, b) + share_nearer(b, a)) / 2


def share_nearer(own: Prints, other: Prints) -> float:
    away = other.histograms.mean(0)
    homes = {f: own.histograms[own.fingers != f].mean(0) for f in np.unique(own.fingers)}
    pairs = zip(own.histograms, own.fingers, strict=True)
    return float(np.mean([np.abs(h - homes[f]).sum() < np.abs(h - away).sum() for h, f in pairs]))


if __name__ == "__main__":
    main()
