"""Figures of a whole dataset from the records of its images."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fpsynth.extractor import Extractor, Tally
from fpsynth.inspect.measure.record import Judged, Record


@dataclass(frozen=True)
class Quartiles:
    """Mean and quartiles of some values, rounded."""

    mean: float
    q1: float
    median: float
    q3: float


@dataclass(frozen=True)
class Spread:
    """The least, the median and the most of some counts."""

    least: int
    median: float
    most: int


@dataclass(frozen=True)
class SplitCounts:
    """What lies in a split."""

    images: int
    identities: int


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many of what. size and ppi: images by WIDTHxHEIGHT and by resolution, the most frequent first."""

    images: int
    identities: int
    images_per_identity: Spread | None
    splits: Mapping[str, SplitCounts]
    size: Mapping[str, int]
    ppi: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class ImageFigures:
    """Grey levels of all images; of the measured ones foreground and ridge period (pixels at 500 ppi)."""

    grey_mean: Quartiles | None
    grey_deviation: Quartiles | None
    measured: int
    foreground_mm2: Quartiles | None
    foreground_share: Quartiles | None
    ridge_period: Quartiles | None
    ridge_period_spread: Quartiles | None


@dataclass(frozen=True)
class TruthFigures:
    """Minutiae that the rows hold; endings is their share."""

    per_image: Quartiles | None
    per_mm2: Quartiles | None
    endings: float


@dataclass(frozen=True, kw_only=True)
class GateFigures:
    """What the gate said when the dataset was made: images by verdict and by who judged, the most frequent first."""

    verdicts: Mapping[str, int]
    tries: Quartiles | None
    recall: Quartiles | None
    spurious: Quartiles | None
    extractors: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class TruthFound:
    """The truth of all judged images by an extractor: shares found and not true, images with less than half found."""

    recall: float
    spurious: float
    truth_per_image: float
    images: int
    images_under_half: int


@dataclass(frozen=True)
class Quality:
    """NFIQ2: scores, images without one, and the mean deviation among the images of an identity."""

    nfiq2: Quartiles | None
    unscored: int
    sd_within: float | None


@dataclass(frozen=True, kw_only=True)
class JudgeFigures:
    """Minutiae and truth by an extractor over the images that were judged; quality where it is NIST's."""

    extractor: Extractor
    images: int
    minutiae: Quartiles | None
    truth: TruthFound | None
    quality: Quality | None


def quartiles(values: Iterable[float]) -> Quartiles | None:
    """Mean and quartiles; None for no values."""
    array = np.asarray(list(values), dtype=float)
    if not len(array):
        return None
    low, middle, high = np.percentile(array, (25, 50, 75))
    return Quartiles(*(round(float(value), 2) for value in (array.mean(), low, middle, high)))


def count_figures(records: Sequence[Record]) -> Counts:
    """How many of what."""
    by_identity = Counter(record.identity for record in records)
    splits: dict[str, SplitCounts] = {}
    for split in dict.fromkeys(r.split for r in records if r.split):
        inside = [r for r in records if r.split == split]
        splits[split] = SplitCounts(len(inside), len({r.identity for r in inside}))
    return Counts(
        images=len(records),
        identities=len(by_identity),
        images_per_identity=_spread(by_identity.values()),
        splits=splits,
        size=_counts(f"{r.width}x{r.height}" for r in records),
        ppi=_counts(f"{r.ppi:g}" for r in records),
    )


def _spread(values: Iterable[int]) -> Spread | None:
    array = np.asarray(list(values))
    return Spread(int(array.min()), float(np.median(array)), int(array.max())) if len(array) else None


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def image_figures(records: Sequence[Record]) -> ImageFigures:
    """Grey levels of all images; foreground and ridge period of the sample."""
    deep = [r.deep for r in records if r.deep is not None]
    return ImageFigures(
        grey_mean=quartiles(r.mean for r in records),
        grey_deviation=quartiles(r.deviation for r in records),
        measured=len(deep),
        foreground_mm2=quartiles(d.area for d in deep),
        foreground_share=quartiles(d.share for d in deep),
        ridge_period=quartiles(d.period for d in deep if d.period is not None),
        ridge_period_spread=quartiles(d.spread for d in deep if d.spread is not None),
    )


def truth_figures(records: Sequence[Record]) -> TruthFigures | None:
    """Minutiae that the rows hold; None where they hold none."""
    told = [r for r in records if r.truth is not None]
    if not told:
        return None
    total, endings = sum(r.truth or 0 for r in told), sum(r.endings or 0 for r in told)
    dense = [(r.truth or 0) / r.deep.area for r in told if r.deep is not None and r.deep.area > 1]
    return TruthFigures(quartiles(r.truth or 0 for r in told), quartiles(dense), round(endings / max(total, 1), 3))


def gate_figures(records: Sequence[Record]) -> GateFigures | None:
    """What the gate said when the dataset was made; None where the rows do not say."""
    gates = [r.gate for r in records if r.gate is not None]
    if not gates:
        return None
    return GateFigures(
        verdicts=_counts(str(g["verdict"]) for g in gates),
        tries=quartiles(g.get("tries") or 1 for g in gates),
        recall=quartiles(g["recall"] for g in gates if g.get("recall") is not None),
        spurious=quartiles(g["spurious"] for g in gates if g.get("spurious") is not None),
        extractors=_counts(str(g["extractor"]) for g in gates if g.get("extractor") is not None),
    )


def judge_figures(records: Sequence[Record]) -> JudgeFigures | None:
    """Minutiae and truth by the extractor, and NFIQ2 where it is NIST's; None where no image was judged."""
    judged = [(r, r.judged) for r in records if r.judged is not None]
    if not judged:
        return None
    extractor = judged[0][1].extractor
    return JudgeFigures(
        extractor=extractor,
        images=len(judged),
        minutiae=quartiles(j.found for _, j in judged),
        truth=_truth([j.tally for _, j in judged if j.tally is not None]),
        quality=_quality(judged) if extractor == "mindtct" else None,
    )


def _quality(judged: Sequence[tuple[Record, Judged]]) -> Quality:
    scored: dict[str, list[float]] = {}
    for record, verdict in judged:
        if verdict.nfiq2 is not None:
            scored.setdefault(record.identity, []).append(verdict.nfiq2)
    return Quality(
        nfiq2=quartiles(v for values in scored.values() for v in values),
        unscored=sum(j.nfiq2 is None for _, j in judged),
        sd_within=round(float(np.mean([np.std(v) for v in scored.values()])), 1) if scored else None,
    )


def _truth(tallies: Sequence[Tally]) -> TruthFound | None:
    if not tallies:
        return None
    total = Tally(*(sum(column) for column in zip(*tallies, strict=True)))
    return TruthFound(
        recall=round(total.recall, 3),
        spurious=round(total.spurious, 3),
        truth_per_image=round(total.truth / len(tallies), 1),
        images=len(tallies),
        images_under_half=sum(t.recall < 0.5 for t in tallies),
    )
