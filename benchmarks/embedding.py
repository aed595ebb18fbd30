"""How well does the embedding tell fingers apart? Equal error rates on datasets, beside those of NIST's bozorth3.

A set is a dataset or a folder of FINGER_IMPRESSION images; the same pairs for both.

python benchmarks/embedding.py SET [SET ...] [--model DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from fpsynth.dataset.reader.source import open_source
from fpsynth.embedding.embedder import load_embedder
from fpsynth.extractor.mindtct import extractor, png_at_500
from fpsynth.inspect.measure.comparisons import Comparer
from fpsynth.inspect.measure.image import decode
from fpsynth.inspect.measure.matching import draw_pairs, rates


def main() -> None:
    """Compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--ppi", type=float, default=500)
    options = parser.parse_args()
    table = Table(title="equal error rate")
    for column in ("set", "prints", "embedding", "bozorth3", "both", "mated cosine", "non-mated cosine"):
        table.add_column(column, justify="left" if column == "set" else "right")
    for path in options.sets:
        table.add_row(*measured(path, options.model, options.ppi))
    Console().print(table)


def measured(path: Path, model: Path | None, ppi: float) -> list[str]:
    """The row of a set. both: the sum of the two scores, each in units of its non-mated deviation."""
    items = [item for unit in open_source(path, None).units for item in unit.read()]
    images = [decode(item.encoded) for item in items]
    vectors = load_embedder(model).describe(images, ppi).identity
    pairs, _ = draw_pairs([item.identity for item in items])
    both = np.concatenate([pairs.mated, pairs.non_mated])
    cosine = (vectors[both[:, 0]] * vectors[both[:, 1]]).sum(1)
    templates = [bytes(extractor().extract_minutiae(png_at_500(image, ppi)).to_iso_19794_2_2005()) for image in images]
    bozorth = np.array(Comparer().scores(templates, [(a, b) for a, b in both.tolist()]), float)
    cut = len(pairs.mated)
    joined = sum((score - score[cut:].mean()) / score[cut:].std() for score in (cosine, bozorth))
    errors = [f"{rates(score[:cut], score[cut:]).eer:.1%}" for score in (cosine, bozorth, joined)]
    return [path.name, str(len(images)), *errors, f"{np.median(cosine[:cut]):.2f}", f"{np.median(cosine[cut:]):.2f}"]


if __name__ == "__main__":
    main()
