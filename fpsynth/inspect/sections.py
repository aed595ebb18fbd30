"""Figures as lines to read: sections of names and values, at most 80 columns wide."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Section(NamedTuple):
    """A title and its lines."""

    title: str
    lines: list[tuple[str, str]]


def dataset_sections(figures: Mapping[str, Any]) -> list[Section]:
    """All there is to read of a dataset."""
    sections = [
        Section("Dataset", list(_counts(figures))),
        *(Section(f"Share of {column}", list(_shares(f))) for column, f in figures["shares"].items()),
        Section("Images", list(_image(figures["image"]))),
        Section("Minutiae in the rows", list(_minutiae(figures["minutiae"]))),
        Section("Gate, when it was made", list(_gate(figures["gate"]))),
        Section(_judged_by(figures["judges"]), list(_judges(figures["judges"]))),
        Section("Fingers told apart by fpsynth's embedding", list(_embedding(figures["embedding"]))),
        *_realism(figures.get("realism")),
        Section("Against the training images", list(_privacy(figures.get("privacy")))),
    ]
    return [section for section in sections if section.lines]


def _counts(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "images", str(figures["images"])
    yield "identities", str(figures["identities"])
    each = figures["images_per_identity"]
    if each:
        same = each["least"] == each["most"]
        yield "images of each", str(each["most"]) if same else f"{each['least']} to {each['most']}"
    for split, counts in figures["splits"].items():
        yield f"split {split}", f"{counts['images']} images, {counts['identities']} identities"
    yield "size in pixels", _several(figures["size"])
    yield "pixels per inch", _several(figures["ppi"])


def _several(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    shown = ", ".join(f"{name} ({count})" for name, count in list(counts.items())[:4])
    return f"{shown}, {len(counts) - 4} more" if len(counts) > 4 else shown


def _shares(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for word, told in figures["words"].items():
        asked = f", {told['asked']:.1%} asked for" if "asked" in told else ""
        yield word, f"{told['count']} ({told['share']:.1%}{asked})"
    if figures.get("p") is not None:
        yield "p (chi-square)", f"{figures['p']:.2g}"


def quart(figures: Mapping[str, float]) -> str:
    """Mean and quartiles in one line."""
    if not figures:
        return "-"
    return f"mean {figures['mean']:g}, quartiles {figures['q1']:g}, {figures['median']:g}, {figures['q3']:g}"


def _image(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "grey level, mean", quart(figures["grey_mean"])
    yield "grey level, deviation", quart(figures["grey_deviation"])
    if figures["measured"]:
        yield "measured in depth", f"{figures['measured']} images"
        yield "foreground, mm2", quart(figures["foreground_mm2"])
        yield "ridge period, px", quart(figures["ridge_period"])
        yield "  spread in an image", quart(figures["ridge_period_spread"])


def _minutiae(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if figures:
        yield "in an image", quart(figures["per_image"])
        yield "per mm2", quart(figures["per_mm2"])
        yield "endings", f"{figures['endings']:.1%}"


def _gate(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for word in ("passed", "failed", "unjudged"):
        if word in figures:
            yield word, str(figures[word])
    if figures:
        yield "tries", quart(figures["tries"])
        if figures["recall"]:
            yield "recall", quart(figures["recall"])
            yield "spurious", quart(figures["spurious"])


EXTRACTORS = {"mindtct": "mindtct", "skeleton": "fpsynth's own extractor"}


def _judged_by(figures: Mapping[str, Any]) -> str:
    own = figures.get("extractor") == "skeleton"
    return "Minutiae by fpsynth's own extractor (not NIST's)" if own else "Judged by NIST's tools"


def _judges(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not figures:
        return
    yield "images", str(figures["images"])
    if "nfiq2" in figures:
        yield "NFIQ2", quart(figures["nfiq2"])
        yield "without a score", str(figures["nfiq2_unscored"])
    yield "minutiae found", quart(figures["minutiae"])
    if "truth" in figures:
        truth = figures["truth"]
        yield "truth found", f"{truth['recall']:.1%} of {truth['truth_per_image']:g} in an image"
        yield "found, not true", f"{truth['spurious']:.1%}"
        yield "under half found", f"{truth['images_under_half']} of {truth['images']} images"
    if "bozorth3" in figures:
        yield from _scores(figures["bozorth3"])
        yield "fingers without match", str(figures["identities_without_a_match"])


def _embedding(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if figures:
        yield from _scores(figures["cosine"])
        yield "fingers without match", str(figures["identities_without_a_match"])


def _scores(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    mated, other = figures["mated"], figures["non_mated"]
    yield "mated scores", quart(mated)
    yield "mated pairs", f"{mated['pairs']} of {mated['possible']}"
    yield "non-mated scores", f"mean {other['mean']:g}, 99th percentile {other['p99']:g}, most {other['most']:g}"
    yield "non-mated pairs", f"{other['pairs']} of {other['possible']}"
    yield "equal error rate", _interval(figures["eer"])
    for far, text in (("0.01", "1 %"), ("0.001", "0.1 %")):
        yield f"TAR at FAR {text}", _interval(figures[f"tar_at_far_{far}"])


SPACES = {"embedding": "Texture", "nfiq2": "NFIQ2's measures", "minutiae": "Minutiae"}
DISTANCES = {
    "frechet": "Frechet distance",
    "kernel": "kernel distance",
    "energy": "energy distance",
    "neighbour_test": "told apart (1-NN)",
    "pairs": "pairs, EMD",
}


def _realism(figures: Mapping[str, Any] | None) -> Iterator[Section]:
    if not figures:
        return
    counts = f"{figures['images']}, reference {figures['reference_images']}"
    for space, distances in figures["distances"].items():
        lines = [(DISTANCES.get(name, name), _beside_halves(told)) for name, told in distances.items()]
        yield Section(f"{SPACES[space]} against the reference (its halves)", [("images", counts), *lines])


def _beside_halves(told: Mapping[str, float]) -> str:
    low, high = told["yardstick_low"], told["yardstick_high"]
    return f"{told['value']:.3g} ({told['yardstick']:.3g}; 90 %: {low:.3g} to {high:.3g})"


def _privacy(figures: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if figures:
        yield "images", f"{figures['images']}, training {figures['training_images']}, by {figures['matcher']}"
        yield "nearest scores", f"median {figures['nearest']['median']:g}, most {figures['nearest']['most']:g}"
        yield f"above {figures['threshold']:g}", f"{figures['flagged']} (by chance {figures['expected_by_chance']:g})"
        for pair in figures["list"]:
            yield "  " + pair["image"], f"{pair['training_image']} (score {pair['score']})"


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.2%} (95 %: {figure['low']:.2%} to {figure['high']:.2%})"


def beside(one: list[Section], other: list[Section], name: str, against: str) -> list[Section]:
    """Two datasets' sections side by side: a line for each name that either has."""
    titles = dict.fromkeys([s.title for s in one] + [s.title for s in other])
    left, right = ({s.title: s.lines for s in sections} for sections in (one, other))
    head = Section("Compared", [("first", name), ("second", against)])
    return [head, *(Section(t, _side_by_side(left.get(t, []), right.get(t, []))) for t in titles)]


def _side_by_side(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Lines with the same name (the n-th of it) stand together, one value under the other where they are long."""
    left, right = _numbered(one), _numbered(other)
    lines = []
    for key in dict.fromkeys([*left, *right]):
        a, b = left.get(key, "-"), right.get(key, "-")
        lines.append((key[0], f"{a} | {b}" if len(a) + len(b) < 50 else f"{a}\n{b}"))
    return lines


def _numbered(lines: list[tuple[str, str]]) -> dict[tuple[str, int], str]:
    seen: dict[str, int] = {}
    numbered = {}
    for name, value in lines:
        seen[name] = seen.get(name, 0) + 1
        numbered[name, seen[name]] = value
    return numbered
