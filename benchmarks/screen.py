"""How alike are the canonical prints of different fingers? Uniqueness at some thresholds, and their false match rates.

Grows the first fingers of a recipe without `finger.unique`, describes a canonical print of each by the bundled
embedding, and compares all pairs. U: the share of identities that are farther than the threshold from all that were
kept before. `--kept FILE` keeps the vectors.

python benchmarks/screen.py [--identities 1000] [--seed 0] [--workers N] [--kept FILE]
"""

import argparse
import os
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from fpsynth.making.screen import Screen, screen_identities
from fpsynth.recipe import Recipe
from fpsynth.recipe.plan import plan_identity

THRESHOLDS = (0.0, 0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.82, 0.85, 0.875, 0.89, 0.9, 0.925, 0.95)


def main() -> None:
    """Grow, compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kept", type=Path)
    options = parser.parse_args()
    vectors = described(options.identities, options.seed, options.workers, options.kept)
    first, second = np.triu_indices(len(vectors), 1)
    likeness = (vectors @ vectors.T)[first, second]
    table = Table(title=f"canonical prints of {len(vectors)} fingers, {len(likeness)} pairs, most {likeness.max():.4f}")
    for column in ("threshold", "pairs", "share", "U"):
        table.add_column(column, justify="right")
    for threshold in THRESHOLDS:
        alike = int((likeness >= threshold).sum())
        kept = uniqueness(vectors, threshold)
        table.add_row(f"{threshold:g}", f"{alike}", f"{alike / len(likeness):.3g}", f"{kept:.4f}")
    Console().print(table)


def described(identities: int, seed: int, workers: int, kept: Path | None) -> np.ndarray:
    """(n, size): the vector of each finger's first draw; a threshold of more than 1 refuses nobody."""
    recipe = Recipe(identities=identities, impressions=1, seed=seed)
    screen = Screen(seed=seed, threshold=2.0, who=lambda i: plan_identity(recipe, i), workers=workers, cache=kept)
    return screen_identities(screen, identities).vectors


def uniqueness(vectors: np.ndarray, threshold: float) -> float:
    """Share of the identities that a greedy cover keeps."""
    kept: list[int] = []
    for i, vector in enumerate(vectors):
        if not kept or float((vectors[kept] @ vector).max()) < threshold:
            kept.append(i)
    return len(kept) / len(vectors)


if __name__ == "__main__":
    main()
