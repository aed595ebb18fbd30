"""What was found as a Markdown table, as JSON, and as a picture: the images of the settings above the curve."""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from knobs.sets import Knob

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

WIDTH, CURVE = 10, 3.5
"""Inches: of the picture, and of the curve upwards."""
WRAP = 32
"""Letters of a label along the vertical axis."""


def write(knobs: Sequence[Knob], out: Path) -> str:
    """Into a folder: facts and a picture of each knob, and the table of all that lie there. Returns the table."""
    out.mkdir(parents=True, exist_ok=True)
    known = json.loads((out / "control.json").read_text()) if (out / "control.json").exists() else {}
    for knob in knobs:
        known[knob.name] = {
            "title": knob.title,
            "columns": list(knob.columns),
            "rows": [list(row) for row in knob.rows],
        }
        if knob.curves:
            draw(knob, out / f"{knob.name}.png")
    (out / "control.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    text = "\n".join(table(name, facts["title"], facts["columns"], facts["rows"], out) for name, facts in known.items())
    (out / "table.md").write_text(text, encoding="utf-8")
    return text


def table(name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], out: Path) -> str:
    """One knob in Markdown, with its picture where there is one."""
    lines = [columns, ["---"] * len(columns), *rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    picture = f"\n![{title}]({name}.png)\n" if (out / f"{name}.png").exists() else ""
    return f"### {title}\n\n{body}\n{picture}"


def draw(knob: Knob, path: Path) -> None:
    """Images in the order of the settings, each above its place on the axis."""
    count = max(len(knob.pictures), 1)
    tall = max((image.shape[0] / image.shape[1] for _, image in knob.pictures), default=0) * WIDTH / count
    figure = plt.figure(figsize=(WIDTH, CURVE + tall), dpi=100)
    grid = figure.add_gridspec(2, count, height_ratios=[tall, CURVE]) if tall else figure.add_gridspec(1, 1)
    for place, (caption, image) in enumerate(knob.pictures):
        axes = figure.add_subplot(grid[0, place])
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(caption, fontsize=9)
        axes.axis("off")
    _curves(knob, figure.add_subplot(grid[-1, :]))
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _curves(knob: Knob, axes: Axes) -> None:
    for label, values in knob.curves.items():
        axes.plot(np.arange(len(knob.at)), values, marker="o", label=label)
    axes.set_xticks(np.arange(len(knob.at)), knob.at)
    axes.set_xlim(-0.5, len(knob.at) - 0.5)
    axes.set_ylim(*span([value for own in knob.curves.values() for value in own]))
    axes.set_xlabel(knob.setting)
    axes.set_ylabel(textwrap.fill(knob.axis, WRAP))
    axes.grid(alpha=0.3)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.legend(fontsize=9)


def span(values: Sequence[float]) -> tuple[float, float]:
    """The vertical axis: all values that are numbers, with 0, and some room."""
    known = [0.0, *(value for value in values if np.isfinite(value))]
    return 1.08 * min(known), 1.08 * max(known) or 1.0
