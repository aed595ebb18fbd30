"""Sets of images by a model or by virtual sensors, made by real runs and looked at by independent judges."""

import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.distance import cdist

from fpsynth.console import Console
from fpsynth.dataset import manifest as manifests
from fpsynth.dataset.reader.source import open_source
from fpsynth.extractor import Tally
from fpsynth.flow import Order, generate
from fpsynth.inspect.measure.comparisons import ScoreFigures, match
from fpsynth.inspect.measure.dataset import Depth, comparer, scan_dataset
from fpsynth.inspect.measure.image import decode
from fpsynth.inspect.measure.likeness import textures
from fpsynth.inspect.measure.realism import energy, quality_points
from fpsynth.inspect.measure.record import Record
from fpsynth.reader.reader import Reader, Reading, load_reader

DEPTH = Depth(judges=True)
SEED = 77
"""Sets of one seed show the same fingers."""


@dataclass(frozen=True)
class Seen:
    """A set of images, in the order of its rows: what judges say of them, and the pictures."""

    records: list[Record]
    images: list[np.ndarray]
    reader: Reader

    @cached_property
    def reading(self) -> Reading:
        """The words read off the images."""
        return self.reader.read(self.images)

    def words(self, slot: str) -> list[str | None]:
        """The words that were asked for."""
        return [record.words.get(slot) for record in self.records]

    def agreement(self, slot: str) -> float:
        """Share of the images that read as the word that was asked for."""
        pairs = zip(self.words(slot), self.reading.said(slot), strict=True)
        return float(np.mean([asked == read for asked, read in pairs if asked is not None]))

    @property
    def tally(self) -> Tally:
        """Minutiae found of the truth, over all images."""
        tallies = [r.judged.tally for r in self.records if r.judged is not None and r.judged.tally is not None]
        return Tally(*(sum(own) for own in zip(*tallies, strict=True)))

    @property
    def nfiq2(self) -> list[int]:
        """NFIQ2 scores, of the images that have one."""
        return [r.judged.nfiq2 for r in self.scored if r.judged is not None and r.judged.nfiq2 is not None]

    @property
    def mean_nfiq2(self) -> float:
        """Their mean; not a number where no image has one."""
        return float(np.mean(self.nfiq2)) if self.nfiq2 else float("nan")

    @property
    def told_nfiq2(self) -> str:
        """Their mean and, in brackets, how many images have one."""
        return f"{self.mean_nfiq2:.1f} ({len(self.nfiq2)})"

    @property
    def scored(self) -> list[Record]:
        """The images that NFIQ2 gives a score."""
        return [r for r in self.records if r.judged is not None and r.judged.nfiq2 is not None]

    @property
    def diversity(self) -> float:
        """Mean distance of the texture vectors of two images."""
        vectors = textures([r for r in self.records if r.print is not None])
        gaps = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
        return float(gaps[np.triu_indices(len(vectors), 1)].mean())

    def scores(self) -> ScoreFigures | None:
        """bozorth3, mated and non-mated."""
        found = match(self.records, comparer(DEPTH, None))
        return None if found is None else found.figures.scores


def distance(ours: Seen, others: Seen, scale: Sequence[Record] = ()) -> float:
    """Energy distance in NFIQ2's measures, of the images that have them.

    scale: whose deviations are the units, by default the others'; distances to several sets compare only in the same.
    """
    return energy(*_points(ours, others, scale))


def distance_to_twin(ours: Seen, twin: Seen, scale: Sequence[Record] = ()) -> float:
    """The same to renders of the same rows."""
    one, other = ([(r.identity, r.impression) for r in seen.scored] for seen in (ours, twin))
    return energy_apart(*_points(ours, twin, scale), np.array([[a == b for b in other] for a in one]))


def _points(ours: Seen, others: Seen, scale: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    by = scale or others.scored
    return quality_points(ours.scored, by)[0], quality_points(others.scored, by)[0]


def energy_apart(a: np.ndarray, b: np.ndarray, same: np.ndarray) -> float:
    """Energy distance without the pairs of the same row, (n, m) bool: near 0 for equal distributions.

    Two sets of the same fingers would else be nearer to each other than each is to itself.
    """
    within = sum(cdist(x, x).sum() / (len(x) * (len(x) - 1)) for x in (a, b))
    return float(2 * cdist(a, b)[~same].mean() - within)


@dataclass(frozen=True)
class Bench:
    """Makes sets under `work` and keeps them there, so that a run that was cut off goes on.

    scale: times the usual number of images.
    """

    model: Path
    work: Path
    student: str
    size: int = 256
    scale: float = 1.0
    references: Mapping[str, Path] = field(default_factory=dict)
    reader: Reader = field(default_factory=load_reader)

    def count(self, usual: int) -> int:
        """So many images, scaled."""
        return max(2, round(usual * self.scale))

    def make(
        self, name: str, identities: int, impressions: int = 1, seed: int = SEED, **parts: Mapping[str, Any]
    ) -> Seen:
        """The set of a recipe that differs from the bench's own in these parts."""
        folder, recipe = self.work / name, self.work / f"{name}.yaml"
        recipe.parent.mkdir(parents=True, exist_ok=True)
        recipe.write_text(json.dumps({"seed": seed, **self._recipe(identities, impressions, parts)}), encoding="utf-8")
        with redirect_stdout(StringIO()):
            generate(Order(recipe=recipe, out=folder), Console("quiet"))
        return self.look(folder)

    def twin(self, name: str, identities: int, impressions: int = 1, **parts: Mapping[str, Any]) -> Seen:
        """The virtual renders of the very same rows."""
        rest = {key: value for key, value in parts.items() if key not in ("sampling", "style")}
        return self.make(f"{name}-virtual", identities, impressions, sampling={"model": "virtual"}, **rest)

    def files(self, name: str, seen: Seen) -> Path:
        """A folder with the set's images as PNG."""
        folder = self.work / f"{name}-images"
        folder.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(seen.images):
            Image.fromarray(image).save(folder / f"{number:02}.png")
        return folder

    def look(self, folder: Path) -> Seen:
        """A set that lies in a folder."""
        records = list(scan_dataset(folder, DEPTH))
        source = open_source(folder, manifests.read(folder))
        images = [decode(item.encoded) for unit in source.units for item in unit.read()]
        return Seen(records, images, self.reader)

    def _recipe(self, identities: int, impressions: int, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        usual: dict[str, dict[str, Any]] = {
            "image": {"width": self.size, "height": self.size},
            "sampling": {"model": str(self.model.absolute()), "student": self.student},
        }
        merged = {key: {**usual.get(key, {}), **parts.get(key, {})} for key in (*usual, *parts)}
        if merged["sampling"]["model"] == "virtual":
            merged["sampling"].pop("student")
        return {"identities": identities, "impressions": impressions, "gate": "off", **merged}


@dataclass(frozen=True)
class Knob:
    """What was found of a knob.

    columns and rows are the table; pictures, one a setting, are (caption, image); curves are drawn over the settings in
    `at`, each by its label. setting and axis say what runs along, and up, and in which unit.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    setting: str = ""
    axis: str = ""
    at: Sequence[str] = ()
    pictures: Sequence[tuple[str, np.ndarray]] = ()
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)


def even(words: Sequence[str]) -> dict[str, float]:
    """Equal shares."""
    return {word: 1 / len(words) for word in words}


def percent(share: float) -> str:
    """For a table."""
    return f"{100 * share:.1f} %"
