"""What an image is to show: a row of the plan, its finger, and the impression that the finger leaves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from fpsynth.finger import Finger, make_finger
from fpsynth.impression import CaptureSettings, Impression, capture
from fpsynth.recipe import IdentityPlan, Recipe, RowPlan
from fpsynth.rng import Stream, generator

T = TypeVar("T")


@dataclass(frozen=True)
class Scene:
    """A row of the plan and the impression that its image is made of."""

    row: RowPlan
    impression: Impression


class Scenes:
    """Builds scenes, on the CPU whatever the model runs on: the truth is the same on every machine.

    Rows come identity by identity, so the last finger is kept.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._last: tuple[IdentityPlan, Finger] | None = None

    def build(self, row: RowPlan) -> Scene:
        """The scene of a row; depends on the recipe and the row alone."""
        rng = generator(self.recipe.seed, Stream.CAPTURE, row.identity, row.impression)
        return Scene(row, capture(self._finger(row.who), capture_settings(self.recipe, row), rng))

    def _finger(self, who: IdentityPlan) -> Finger:
        if self._last is None or self._last[0] != who:
            rng = generator(self.recipe.seed, Stream.FINGER, who.identity)
            self._last = who, make_finger(rng, who.pattern, who.finger)
        return self._last[1]


def capture_settings(recipe: Recipe, row: RowPlan) -> CaptureSettings:
    """What the row says of this capture. What it leaves open is plain, of good quality and of normal skin."""
    words = row.words
    return CaptureSettings(
        width=recipe.image.width,
        height=recipe.image.height,
        ppi=recipe.image.ppi,
        acquisition=words["acquisition"] or "plain",
        quality=words["quality"] or "good",
        skin=words["skin"] or "normal",
        pressure=words["pressure"],
        variation=recipe.capture.variation,
    )


def batches(items: Iterable[T], count: int) -> Iterator[list[T]]:
    """Lists of count items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, count)):
        yield batch
