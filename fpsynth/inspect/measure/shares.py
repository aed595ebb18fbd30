"""Shares of words, beside those that were asked for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fpsynth.dataset.item import word_columns
from fpsynth.inspect.measure.record import Record

PER_IDENTITY = ("pattern", "finger")
"""Words that belong to an identity: its images count once."""
COMMON = 5
"""Pearson's test holds where at least so many are expected."""


@dataclass(frozen=True)
class WordShare:
    """How many images have a word, their share, and the share that was asked for (None: nothing was)."""

    count: int
    share: float
    asked: float | None


@dataclass(frozen=True)
class ColumnShares:
    """The words of a column. p: how likely a difference like that from what was asked is; None: cannot be told."""

    words: Mapping[str, WordShare]
    p: float | None

    @property
    def asked(self) -> bool:
        """Whether the recipe asked for shares of this column."""
        return any(word.asked is not None for word in self.words.values())


def word_counts(records: Sequence[Record]) -> dict[str, Counter[str]]:
    """Counts of the words of each column that the dataset has. Pattern and finger are counted once an identity."""
    counts: dict[str, Counter[str]] = {}
    for column in word_columns():
        chosen = _first_of_each(records) if column in PER_IDENTITY else records
        said = [r.words[column] for r in chosen if column in r.words]
        if any(word is not None for word in said):
            counts[column] = Counter(word or "other" for word in said)
    return counts


def _first_of_each(records: Sequence[Record]) -> list[Record]:
    return list({record.identity: record for record in reversed(records)}.values())


def share_figures(
    counts: Mapping[str, Counter[str]], asked: Mapping[str, Mapping[str, float]]
) -> dict[str, ColumnShares]:
    """Counts and shares of the words of every column, with what was asked for and how likely the difference is."""
    return {column: _column(words, asked.get(column, {})) for column, words in counts.items()}


def _column(words: Counter[str], wanted: Mapping[str, float]) -> ColumnShares:
    total = sum(words.values())
    shares = {
        word: WordShare(words[word], round(words[word] / total, 4), round(wanted.get(word, 0.0), 4) if wanted else None)
        for word in sorted({*words, *wanted}, key=lambda w: (-words[w], w))
    }
    return ColumnShares(shares, chi_square(words, wanted) if wanted else None)


def chi_square(counts: Mapping[str, int], asked: Mapping[str, float]) -> float | None:
    """Pearson's test: how likely counts are as far from the shares as these, or farther.

    Words of which fewer than 5 are expected are counted together; None where too few are left to test. A word that
    was never asked for: 0.
    """
    from scipy.special import chdtrc

    if any(asked.get(word, 0) == 0 for word, count in counts.items() if count):
        return 0.0
    total = sum(counts.values())
    often = [word for word, share in asked.items() if share * total >= COMMON]
    pairs = [(counts.get(word, 0), asked[word] * total) for word in often]
    pairs.append((total - sum(n for n, _ in pairs), total - sum(e for _, e in pairs)))
    kept = [(n, e) for n, e in pairs if e >= 1]
    return float(chdtrc(len(kept) - 1, sum((n - e) ** 2 / e for n, e in kept))) if len(kept) > 1 else None
