"""Figures of a whole dataset from the records of its images."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fpsynth.extractor import Tally
from fpsynth.inspect.item import WORDS
from fpsynth.inspect.record import Judged, Record

PER_IDENTITY = ("pattern", "finger")
"""Words that belong to an identity: its images count once."""

COMMON = 5
"""Pearson's test holds where at least so many are expected."""


def quartiles(values: Iterable[float]) -> dict[str, float]:
    """Mean and quartiles, rounded; empty for no values."""
    array = np.asarray(list(values), dtype=float)
    if not len(array):
        return {}
    low, middle, high = np.percentile(array, (25, 50, 75))
    figures = {"mean": array.mean(), "q1": low, "median": middle, "q3": high}
    return {name: round(float(value), 2) for name, value in figures.items()}


def count_figures(records: Sequence[Record]) -> dict[str, Any]:
    """How many of what."""
    by_identity = Counter(record.identity for record in records)
    splits: dict[str, dict[str, int]] = {}
    for split in dict.fromkeys(r.split for r in records if r.split):
        inside = [r for r in records if r.split == split]
        splits[split] = {"images": len(inside), "identities": len({r.identity for r in inside})}
    return {
        "images": len(records),
        "identities": len(by_identity),
        "images_per_identity": _range(by_identity.values()),
        "splits": splits,
        "size": _counts(f"{r.width}x{r.height}" for r in records),
        "ppi": _counts(f"{r.ppi:g}" for r in records),
    }


def _range(values: Iterable[int]) -> dict[str, float]:
    array = np.asarray(list(values))
    if not len(array):
        return {}
    return {"least": int(array.min()), "median": float(np.median(array)), "most": int(array.max())}


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def word_counts(records: Sequence[Record]) -> dict[str, Counter[str]]:
    """Counts of the words of each column that the dataset has. Pattern and finger are counted once an identity."""
    counts: dict[str, Counter[str]] = {}
    for column in WORDS:
        chosen = _first_of_each(records) if column in PER_IDENTITY else records
        said = [r.words[column] for r in chosen if column in r.words]
        if any(word is not None for word in said):
            counts[column] = Counter(word or "other" for word in said)
    return counts


def _first_of_each(records: Sequence[Record]) -> list[Record]:
    return list({record.identity: record for record in reversed(records)}.values())


def image_figures(records: Sequence[Record]) -> dict[str, Any]:
    """Grey levels of all images; foreground and ridge period of the sample."""
    deep = [r.deep for r in records if r.deep is not None]
    return {
        "grey_mean": quartiles(r.mean for r in records),
        "grey_deviation": quartiles(r.deviation for r in records),
        "measured": len(deep),
        "foreground_mm2": quartiles(d.area for d in deep),
        "foreground_share": quartiles(d.share for d in deep),
        "ridge_period": quartiles(d.period for d in deep if d.period is not None),
        "ridge_period_spread": quartiles(d.spread for d in deep if d.spread is not None),
    }


def truth_figures(records: Sequence[Record]) -> dict[str, Any]:
    """Minutiae that the rows hold."""
    told = [r for r in records if r.truth is not None]
    if not told:
        return {}
    total, endings = sum(r.truth or 0 for r in told), sum(r.endings or 0 for r in told)
    dense = [(r.truth or 0) / r.deep.area for r in told if r.deep is not None and r.deep.area > 1]
    return {
        "per_image": quartiles(r.truth or 0 for r in told),
        "per_mm2": quartiles(dense),
        "endings": round(endings / max(total, 1), 3),
    }


def gate_figures(records: Sequence[Record]) -> dict[str, Any]:
    """What the gate said when the dataset was made."""
    gates = [r.gate for r in records if r.gate is not None]
    if not gates:
        return {}
    return {
        **_counts(str(g["verdict"]) for g in gates),
        "tries": quartiles(g.get("tries") or 1 for g in gates),
        "recall": quartiles(g["recall"] for g in gates if g.get("recall") is not None),
        "spurious": quartiles(g["spurious"] for g in gates if g.get("spurious") is not None),
    }


def judge_figures(records: Sequence[Record]) -> dict[str, Any]:
    """Minutiae and truth by the extractor, and NFIQ2 where it is NIST's, over the images that were judged."""
    judged = [(r, r.judged) for r in records if r.judged is not None]
    if not judged:
        return {}
    extractor = judged[0][1].extractor
    found = {
        "extractor": extractor,
        "images": len(judged),
        "minutiae": quartiles(j.found for _, j in judged),
        **_truth(j.tally for _, j in judged if j.tally is not None),
    }
    return found if extractor == "skeleton" else found | _quality(judged)


def _quality(judged: Sequence[tuple[Record, Judged]]) -> dict[str, Any]:
    scored: dict[str, list[float]] = {}
    for record, verdict in judged:
        if verdict.nfiq2 is not None:
            scored.setdefault(record.identity, []).append(verdict.nfiq2)
    return {
        "nfiq2": quartiles(v for values in scored.values() for v in values),
        "nfiq2_unscored": sum(j.nfiq2 is None for _, j in judged),
        "nfiq2_sd_within": round(float(np.mean([np.std(v) for v in scored.values()])), 1) if scored else None,
    }


def _truth(tallies: Iterable[Tally]) -> dict[str, Any]:
    each = list(tallies)
    if not each:
        return {}
    total = Tally(*(sum(column) for column in zip(*each, strict=True)))
    return {
        "truth": {
            "recall": round(total.recall, 3),
            "spurious": round(total.spurious, 3),
            "truth_per_image": round(total.truth / len(each), 1),
            "images": len(each),
            "images_under_half": sum(t.recall < 0.5 for t in each),
        }
    }


def share_figures(counts: Mapping[str, Counter[str]], asked: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Counts and shares of the words of every column, with what was asked for and how likely the difference is."""
    figures: dict[str, Any] = {}
    for column, words in counts.items():
        total, wanted = sum(words.values()), asked.get(column, {})
        rows = {
            word: {"count": words[word], "share": round(words[word] / total, 4)}
            | ({"asked": round(wanted.get(word, 0.0), 4)} if wanted else {})
            for word in sorted({*words, *wanted}, key=lambda w: (-words[w], w))
        }
        figures[column] = {"words": rows} | ({"p": chi_square(words, wanted)} if wanted else {})
    return figures


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
