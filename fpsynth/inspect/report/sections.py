"""Figures of a dataset as sections to read."""

from collections.abc import Iterator, Mapping

from fpsynth.inspect.measure.breakdown import WordFigures
from fpsynth.inspect.measure.comparisons import Interval, MatchFigures, ScoreFigures
from fpsynth.inspect.measure.dataset import DatasetFigures
from fpsynth.inspect.measure.figures import (
    Counts,
    GateFigures,
    ImageFigures,
    JudgeFigures,
    Quartiles,
    TruthFigures,
)
from fpsynth.inspect.measure.identity import IdentityFigures
from fpsynth.inspect.measure.privacy import Privacy
from fpsynth.inspect.measure.reading import ReadingFigures, SlotRead
from fpsynth.inspect.measure.realism import Beside, Realism
from fpsynth.inspect.measure.shares import ColumnShares
from fpsynth.inspect.report.section import Section

Lines = Iterator[tuple[str, str]]


def dataset_sections(figures: DatasetFigures) -> list[Section]:
    """All there is to read of a dataset."""
    sections = [
        Section("Dataset", list(_counts(figures.counts))),
        *(Section(f"Share of {column}", list(_shares(told))) for column, told in figures.shares.items()),
        Section("Images", list(_image(figures.image))),
        Section("Minutiae in the rows", list(_minutiae(figures.minutiae))),
        Section("Gate, when it was made", list(_gate(figures.gate))),
        Section(_judged_by(figures.judges), [*_judges(figures.judges), *_matching(figures.bozorth3)]),
        Section("Fingers told apart by fpsynth's embedding", list(_matching(figures.embedding))),
        Section("Words as fpsynth's reader reads them", list(_reading(figures.reading))),
        *(Section(f"By {slot}", list(_by_word(words))) for slot, words in figures.words.items()),
        Section("Identities: unique, consistent, diverse", list(_identity(figures.identity))),
        *_realism(figures.realism),
        Section("Against the training images", list(_privacy(figures.privacy))),
    ]
    return [section for section in sections if section.lines]


def _counts(counts: Counts) -> Lines:
    yield "images", str(counts.images)
    yield "identities", str(counts.identities)
    if each := counts.images_per_identity:
        yield "images of each", str(each.most) if each.least == each.most else f"{each.least} to {each.most}"
    for split, inside in counts.splits.items():
        yield f"split {split}", f"{inside.images} images, {inside.identities} identities"
    yield "size in pixels", _several(counts.size)
    yield "pixels per inch", _several(counts.ppi)


def _several(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    shown = ", ".join(f"{name} ({count})" for name, count in list(counts.items())[:4])
    return f"{shown}, {len(counts) - 4} more" if len(counts) > 4 else shown


def _shares(shares: ColumnShares) -> Lines:
    for word, told in shares.words.items():
        asked = "" if told.asked is None else f", {told.asked:.1%} asked for"
        yield word, f"{told.count} ({told.share:.1%}{asked})"
    if shares.p is not None:
        yield "p (chi-square)", f"{shares.p:.2g}"


def quart(told: Quartiles | None) -> str:
    """Mean and quartiles in one line."""
    if told is None:
        return "-"
    return f"mean {told.mean:g}, quartiles {told.q1:g}, {told.median:g}, {told.q3:g}"


def _image(image: ImageFigures) -> Lines:
    yield "grey level, mean", quart(image.grey_mean)
    yield "grey level, deviation", quart(image.grey_deviation)
    if image.measured:
        yield "measured in depth", f"{image.measured} images"
        yield "foreground, mm2", quart(image.foreground_mm2)
        yield "ridge period, px", quart(image.ridge_period)
        yield "  spread in an image", quart(image.ridge_period_spread)


def _minutiae(truth: TruthFigures | None) -> Lines:
    if truth is not None:
        yield "in an image", quart(truth.per_image)
        yield "per mm2", quart(truth.per_mm2)
        yield "endings", f"{truth.endings:.1%}"


EXTRACTORS = {"mindtct": "mindtct", "skeleton": "fpsynth's own extractor"}
"""An extractor's name for people."""


def _gate(gate: GateFigures | None) -> Lines:
    if gate is None:
        return
    for word in ("passed", "failed", "unjudged"):
        if word in gate.verdicts:
            yield word, str(gate.verdicts[word])
    if gate.extractors:
        yield "judged by", _several({EXTRACTORS.get(name, name): count for name, count in gate.extractors.items()})
    yield "tries", quart(gate.tries)
    if gate.recall:
        yield "recall", quart(gate.recall)
        yield "spurious", quart(gate.spurious)


def _judged_by(judges: JudgeFigures | None) -> str:
    own = judges is not None and judges.extractor == "skeleton"
    return "Minutiae by fpsynth's own extractor (not NIST's)" if own else "Judged by NIST's tools"


def _judges(judges: JudgeFigures | None) -> Lines:
    if judges is None:
        return
    yield "images", str(judges.images)
    if judges.quality is not None:
        yield "NFIQ2", quart(judges.quality.nfiq2)
        yield "without a score", str(judges.quality.unscored)
    yield "minutiae found", quart(judges.minutiae)
    if truth := judges.truth:
        yield "truth found", f"{truth.recall:.1%} of {truth.truth_per_image:g} in an image"
        yield "found, not true", f"{truth.spurious:.1%}"
        yield "under half found", f"{truth.images_under_half} of {truth.images} images"


def _matching(figures: MatchFigures | None) -> Lines:
    if figures is not None:
        yield from _scores(figures.scores)
        yield "fingers without match", str(figures.lone)


def _by_word(words: Mapping[str, WordFigures]) -> Lines:
    for word, told in words.items():
        figures = {
            "NFIQ2": told.nfiq2,
            "minutiae": told.minutiae,
            "truth found": None if told.recall is None else f"{told.recall:.1%}",
            "not true": None if told.spurious is None else f"{told.spurious:.1%}",
            "mated score": told.mated_median,
            "EER": "too few pairs" if told.eer is None else f"{told.eer:.1%}",
        }
        said = [f"{name} {value}" for name, value in figures.items() if value is not None]
        yield word, f"{told.images} images: " + ", ".join(said)


def _identity(figures: IdentityFigures | None) -> Lines:
    if figures is None:
        return
    for matcher, told in figures.matchers.items():
        if unique := told.uniqueness:
            on = f"{unique.identities}" + ("" if unique.identities == unique.of else f" of {unique.of}")
            yield f"uniqueness, {matcher}", f"{unique.value:.1%} of {on} identities"
            yield "  apart below", f"{unique.threshold:g} (false match rate {unique.false_match:.2g})"
        if same := told.consistency:
            yield f"consistency, {matcher}", f"{same.value:.1%} of {same.images} images"
            yield "  a match from", f"{same.threshold:g} (false match rate {same.false_match:.2g})"
    if spread := figures.diversity:
        yield (
            "diversity",
            f"{spread.value:.1%} of the looks, mean of {spread.fingers} fingers (k = {spread.neighbours})",
        )


def _scores(scores: ScoreFigures) -> Lines:
    mated, other = scores.mated, scores.non_mated
    yield "mated scores", quart(mated.scores)
    yield "mated pairs", f"{mated.pairs} of {mated.possible}"
    yield "non-mated scores", f"mean {other.mean:g}, 99th percentile {other.p99:g}, most {other.most:g}"
    yield "non-mated pairs", f"{other.pairs} of {other.possible}"
    yield "equal error rate", _interval(scores.eer)
    for far, rate in scores.tar.items():
        yield f"TAR at FAR {100 * far:g} %", _interval(rate)


def _reading(reading: ReadingFigures | None) -> Lines:
    if reading is None:
        return
    yield "images", str(reading.images)
    for slot, told in reading.slots.items():
        shares = ", ".join(f"{word.replace('_', ' ')} {share:.0%}" for word, share in told.shares.items())
        yield slot, shares if told.images == reading.images else f"{shares} (of {told.images} images)"
        if told.agreement is not None:
            yield "  as asked for", _agreement(told)


def _agreement(told: SlotRead) -> str:
    return f"{told.agreement:.1%} of {told.asked} images ({told.accuracy:.1%} of renders never seen)"


SPACES = {"embedding": "Texture", "nfiq2": "NFIQ2's measures", "minutiae": "Minutiae"}
DISTANCES = {
    "frechet": "Frechet distance",
    "kernel": "kernel distance",
    "energy": "energy distance",
    "neighbour_test": "told apart (1-NN)",
    "pairs": "pairs, EMD",
}


def _realism(realism: Realism | None) -> Iterator[Section]:
    if realism is None:
        return
    counts = f"{realism.images}, reference {realism.reference_images}"
    for space, distances in realism.distances.items():
        lines = [(DISTANCES.get(name, name), _beside_halves(told)) for name, told in distances.items()]
        yield Section(f"{SPACES[space]} against the reference (its halves)", [("images", counts), *lines])


def _beside_halves(told: Beside) -> str:
    return f"{told.value:.3g} ({told.yardstick:.3g}; 90 %: {told.yardstick_low:.3g} to {told.yardstick_high:.3g})"


def _privacy(privacy: Privacy | None) -> Lines:
    if privacy is None:
        return
    yield "images", f"{privacy.images}, training {privacy.training_images}, by {privacy.matcher}"
    yield "nearest scores", f"median {privacy.nearest.median:g}, most {privacy.nearest.most:g}"
    yield f"above {privacy.threshold:g}", f"{privacy.flagged} (by chance {privacy.expected_by_chance:g})"
    for pair in privacy.listed:
        yield "  " + pair.image, f"{pair.training_image} (score {pair.score})"


def _interval(rate: Interval) -> str:
    return f"{rate.value:.2%} (95 %: {rate.low:.2%} to {rate.high:.2%})"
