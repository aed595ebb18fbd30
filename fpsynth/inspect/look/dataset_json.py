"""The figures of a dataset as JSON holds them, for scripts. What is None among the figures is an empty object here."""

from dataclasses import asdict
from typing import Any

from fpsynth.inspect.measure.comparisons import MatchFigures, ScoreFigures
from fpsynth.inspect.measure.dataset import DatasetFigures
from fpsynth.inspect.measure.figures import (
    Counts,
    GateFigures,
    ImageFigures,
    JudgeFigures,
    Quartiles,
    Spread,
    TruthFigures,
)
from fpsynth.inspect.measure.identity import IdentityFigures
from fpsynth.inspect.measure.privacy import Privacy
from fpsynth.inspect.measure.shares import ColumnShares

Object = dict[str, Any]


def to_json(figures: DatasetFigures) -> Object:
    """The object that `fpsynth inspect --json` prints, but for path, faults and notices."""
    told = {
        "kind": "dataset",
        "format": figures.form,
        "made_by_fpsynth": figures.ours,
        **_counts(figures.counts),
        "shares": {column: _shares(shares) for column, shares in figures.shares.items()},
        "image": _image(figures.image),
        "minutiae": _minutiae(figures.minutiae),
        "gate": _gate(figures.gate),
        "judges": _judges(figures.judges) | _matching(figures.bozorth3),
        "embedding": _matching(figures.embedding),
        "reading": {} if figures.reading is None else asdict(figures.reading),
        "words": {slot: {w: asdict(told) for w, told in words.items()} for slot, words in figures.words.items()},
        "identity": _identity(figures.identity),
    }
    if figures.realism is not None:
        told["realism"] = asdict(figures.realism)
    if figures.privacy is not None:
        told["privacy"] = _privacy(figures.privacy)
    return told


def _plain(figures: Quartiles | Spread | None) -> Object:
    return {} if figures is None else asdict(figures)


def _counts(counts: Counts) -> Object:
    return asdict(counts) | {"images_per_identity": _plain(counts.images_per_identity)}


def _shares(shares: ColumnShares) -> Object:
    words = {
        word: {"count": told.count, "share": told.share} | ({} if told.asked is None else {"asked": told.asked})
        for word, told in shares.words.items()
    }
    return {"words": words} | ({"p": shares.p} if shares.asked else {})


def _image(image: ImageFigures) -> Object:
    return {name: value if name == "measured" else value or {} for name, value in asdict(image).items()}


def _minutiae(truth: TruthFigures | None) -> Object:
    if truth is None:
        return {}
    return {"per_image": _plain(truth.per_image), "per_mm2": _plain(truth.per_mm2), "endings": truth.endings}


def _gate(gate: GateFigures | None) -> Object:
    if gate is None:
        return {}
    quartiles = {"tries": gate.tries, "recall": gate.recall, "spurious": gate.spurious}
    told: Object = {**gate.verdicts, **{name: _plain(figures) for name, figures in quartiles.items()}}
    return told | ({"extractor": gate.extractors} if gate.extractors else {})


def _judges(judges: JudgeFigures | None) -> Object:
    if judges is None:
        return {}
    told: Object = {
        "extractor": judges.extractor,
        "images": judges.images,
        "minutiae": _plain(judges.minutiae),
    }
    if judges.truth is not None:
        told["truth"] = asdict(judges.truth)
    if quality := judges.quality:
        told |= {"nfiq2": _plain(quality.nfiq2), "nfiq2_unscored": quality.unscored}
        told["nfiq2_sd_within"] = quality.sd_within
    return told


def _matching(figures: MatchFigures | None) -> Object:
    if figures is None:
        return {}
    return {figures.matcher: _scores(figures.scores), "identities_without_a_match": figures.lone}


def _identity(figures: IdentityFigures | None) -> Object:
    if figures is None:
        return {}
    told: Object = {name: _filled(asdict(own)) for name, own in figures.matchers.items()}
    return told | _filled({"diversity": figures.diversity and asdict(figures.diversity)})


def _filled(told: Object) -> Object:
    return {name: {} if value is None else value for name, value in told.items()}


def _scores(scores: ScoreFigures) -> Object:
    mated = scores.mated
    return {
        "eer": asdict(scores.eer),
        **{f"tar_at_far_{far:g}": asdict(rate) for far, rate in scores.tar.items()},
        "mated": {"pairs": mated.pairs, "possible": mated.possible, **_plain(mated.scores)},
        "non_mated": asdict(scores.non_mated),
    }


def _privacy(privacy: Privacy) -> Object:
    return {"list" if name == "listed" else name: told for name, told in asdict(privacy).items()}
