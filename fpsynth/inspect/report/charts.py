"""Charts of a report, as SVG: distributions, shares, scores, the DET curve. Needs the extra `report` (matplotlib)."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np

from fpsynth.errors import UserError
from fpsynth.inspect.measure.matching import Scores, det_curve, rates
from fpsynth.inspect.measure.reading import ReadingFigures
from fpsynth.inspect.measure.shares import ColumnShares

ROOM = 5
"""Bars that a chart of shares has room for, at least: one bar alone is no thicker."""
BLUE, ORANGE, GREY = "#2563a8", "#d97b29", "#c5ccd3"
WORDS = (BLUE, ORANGE, "#2e8b57", "#8e44ad", "#c0392b", "#16817a", "#7a6a58")
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a929b",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "svg.hashsalt": "fpsynth",
}


def require_matplotlib() -> None:
    """Raise UserError where charts cannot be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError("a report needs matplotlib: install fpsynth with the extra 'report'") from None


@contextmanager
def _figure(title: str, label: str, out: io.BytesIO) -> Iterator[Any]:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 2.7), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title)
        axes.set_xlabel(label)
        yield axes
        figure.savefig(out, format="svg", metadata={"Date": None})


class Chart(NamedTuple):
    """An SVG, and what it says for those who do not see it."""

    svg: bytes
    told: str


def chart(title: str, label: str, told: str, draw: Callable[[Any], None]) -> Chart:
    """A chart whose axes were drawn on by `draw`."""
    out = io.BytesIO()
    with _figure(title, label, out) as axes:
        draw(axes)
    return Chart(out.getvalue(), f"{title} ({label}): {told}")


def histogram(title: str, label: str, series: Mapping[str, Sequence[float]], bins: int = 24) -> Chart:
    """One histogram, or several over each other with a legend; the median of each as a line."""
    values = np.concatenate([np.asarray(v, float) for v in series.values()])
    edges = np.histogram_bin_edges(values, bins)

    def draw(axes: Any) -> None:
        for (name, own), colour in zip(series.items(), (BLUE, ORANGE), strict=False):
            weights = np.full(len(own), 100 / max(len(own), 1))
            axes.hist(own, edges, weights=weights, color=colour, alpha=0.65, label=name)
            axes.axvline(np.median(own), color=colour, linewidth=1, linestyle="--")
        axes.set_ylabel("% of images" if len(series) == 1 else "% of each")
        if len(series) > 1:
            axes.legend(frameon=False)

    told = ", ".join(f"{name}, median {np.median(own):.3g} of {len(own)}" for name, own in series.items())
    return chart(title, label, told, draw)


def shares(title: str, told: ColumnShares) -> Chart:
    """Shares of words as bars, with a mark where the recipe wanted each."""
    words = [(word, own.share, own.asked) for word, own in list(told.words.items())[:12]]
    return _bars(title, "% (orange: asked for)" if told.asked else "%", words)


def agreement(reading: ReadingFigures) -> Chart:
    """How often images read as asked for, slot by slot, with a mark where the reader is on its held-out renders."""
    slots = [(name, own.agreement, own.accuracy) for name, own in reading.slots.items() if own.agreement is not None]
    return _bars("Reads as asked for", "% of images (orange: of renders never seen)", slots)


def _bars(title: str, label: str, rows: Sequence[tuple[str, float, float | None]]) -> Chart:
    """Bars of (name, share, marked share or None)."""

    def draw(axes: Any) -> None:
        places = np.arange(len(rows))[::-1]
        axes.barh(places, [100 * share for _, share, _ in rows], color=BLUE, height=0.62)
        marked = [(100 * mark, p) for p, (_, _, mark) in zip(places, rows, strict=True) if mark is not None]
        if marked:
            axes.plot(*zip(*marked, strict=True), "|", color=ORANGE, markersize=14, markeredgewidth=3)
        axes.set_ylim(min(-0.6, len(rows) - ROOM - 0.4), len(rows) - 0.4)
        axes.set_yticks(places, [name.replace("_", " ") for name, _, _ in rows])

    return chart(title, label, ", ".join(f"{name} {share:.0%}" for name, share, _ in rows), draw)


def score_histogram(scores: Scores, matcher: str) -> Chart:
    """Mated and non-mated scores of this matcher."""
    top = float(np.percentile(scores.mated, 99.5))
    clipped = {"mated": np.minimum(scores.mated, top), "non-mated": np.minimum(scores.non_mated, top)}
    return histogram("Scores of pairs", matcher, {name: v.tolist() for name, v in clipped.items()}, 40)


def det(scores: Scores) -> Chart:
    """False non-match against false match rate, both logarithmic, and the line where they are equal."""
    told = f"equal error rate {rates(scores.mated, scores.non_mated).eer:.2%}"

    def draw(axes: Any) -> None:
        _trade_off(axes, {told: (scores.mated, scores.non_mated)})
        text = f"{told}\n{len(scores.mated)} mated, {len(scores.non_mated)} non-mated pairs"
        axes.text(0.97, 0.97, text, transform=axes.transAxes, ha="right", va="top", backgroundcolor="white")

    return chart("Error trade-off (DET)", "false match rate", told, draw)


def det_of_words(slot: str, words: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Chart:
    """The same for each word of a slot: its mated and non-mated scores."""
    named = {f"{word.replace('_', ' ')}, {rates(*own).eer:.1%}": own for word, own in words.items()}

    def draw(axes: Any) -> None:
        _trade_off(axes, named)
        axes.legend(frameon=False, loc="upper right")

    return chart(f"By {slot}, with equal error rates", "false match rate", "; ".join(named), draw)


def _trade_off(axes: Any, named: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """A curve for each (mated, non-mated), down to half an error."""
    least = min(0.5 / max(len(mated), len(non_mated)) for mated, non_mated in named.values())
    axes.plot([least, 1], [least, 1], color=GREY, linewidth=1)
    for (name, own), colour in zip(named.items(), cycle(WORDS), strict=False):
        false, missed = det_curve(*own)
        axes.step(
            np.maximum(false, least), np.maximum(missed, least), color=colour, where="post", clip_on=False, label=name
        )
    axes.set(xscale="log", yscale="log", xlim=(least, 1), ylim=(least, 1), ylabel="false non-match rate")
