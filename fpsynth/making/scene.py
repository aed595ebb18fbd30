"""What an image is to show: a row of the plan, its finger's impression, and what a model is told of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from fpsynth.conditioning.conditions import Conditioning
from fpsynth.conditioning.planes import control_planes
from fpsynth.conditioning.prompt import prompt_text
from fpsynth.finger import Drawing, Master, draw_finger, make_finger
from fpsynth.impression import CaptureSettings, Impression, capture
from fpsynth.making.source import rebuilt
from fpsynth.making.styles import NO_STYLES, Styles
from fpsynth.making.verbs import Begin
from fpsynth.recipe import IdentityPlan, Recipe, RowPlan
from fpsynth.recipe.schema import LayoutPart
from fpsynth.rng import Stream, generator

T = TypeVar("T")


@dataclass(frozen=True)
class Scene:
    """All that an image is made from, and that its row says. source: the file of its finger, or of the print that it is
    drawn anew from (begin), where it has one."""

    row: RowPlan
    impression: Impression
    conditioning: Conditioning
    source: str | None = None
    begin: Begin | None = None


class Scenes:
    """What scenes are built of, on the CPU whatever the model runs on: the truth is the same on every machine.

    planes: names of the control planes that the renderer wants; styles: the recipe's style images, if it wants them;
    attempts: by identity, which of its draws is its finger, where that is not the first; sources: by identity, the file
    that its finger is rebuilt from, where it is not grown. Rows come identity by identity, so the last finger is kept.
    """

    def __init__(
        self,
        recipe: Recipe,
        planes: tuple[str, ...] = (),
        styles: Styles = NO_STYLES,
        attempts: Mapping[int, int] = MappingProxyType({}),
        sources: Sequence[Path] = (),
    ) -> None:
        self.recipe, self.planes, self.styles, self.attempts = recipe, planes, styles, attempts
        self.sources = sources
        self._last: tuple[IdentityPlan, Master] | None = None

    def grow(self, who: IdentityPlan) -> Master:
        """The identity's finger."""
        if self._last is None or self._last[0] != who:
            self._last = who, self._finger(who)
        return self._last[1]

    def _finger(self, who: IdentityPlan) -> Master:
        part, seed = self.recipe.finger, self.recipe.seed
        if part.source is not None:
            rng = generator(seed, Stream.FINGER, who.identity)
            return rebuilt(self.sources[who.identity], part.source, rng, who.finger)
        return grow(seed, who, self.attempts.get(who.identity, 0), drawing_of(part.layout))

    def scene(self, planned: RowPlan) -> Scene:
        """All that the image of a row is made from."""
        finger = self.grow(planned.who)
        row = self.named(planned, finger)
        impression = self.take(finger, row)
        return Scene(row, impression, self.tell(row, impression), self.source_of(row))

    def source_of(self, row: RowPlan) -> str | None:
        """The name of the file that the row's finger is rebuilt from."""
        return self.sources[row.identity].name if self.sources else None

    def named(self, row: RowPlan, finger: Master) -> RowPlan:
        """The row with its finger's class, which the plan does not know of a finger that is rebuilt."""
        return replace(row, words={**row.words, "pattern": finger.pattern})

    def take(self, finger: Master, row: RowPlan) -> Impression:
        """The row's capture of the finger."""
        rng = generator(self.recipe.seed, Stream.CAPTURE, row.identity, row.impression)
        image, variation = self.recipe.image, self.recipe.capture.variation
        settings = CaptureSettings.saying(row.words, image.width, image.height, image.ppi, variation)
        return capture(finger, settings, rng)

    def tell(self, row: RowPlan, impression: Impression) -> Conditioning:
        """What a model is told of the image."""
        planes = control_planes(impression, self.planes) if self.planes else ()
        background = self.styles.behind(row, self.recipe.seed)
        return Conditioning(
            planes=dict(zip(self.planes, planes, strict=True)),
            prompt=prompt_text(row.words, self.recipe.prompt.text),
            styles=self.styles.of(row),
            minutiae=impression.minutiae,
            background=background,
            contact=impression.contact if background else None,
        )


def grow(seed: int, who: IdentityPlan, attempt: int = 0, drawing: Drawing | None = None) -> Master:
    """A finger of the identity's class and position; every attempt is another one."""
    rng = generator(seed, Stream.FINGER, who.identity, attempt=attempt)
    if drawing is not None:
        return draw_finger(rng, drawing, who.pattern or "", who.finger)
    assert who.pattern is not None, "the plan knows the class of a grown finger"
    return make_finger(rng, who.pattern, who.finger)


def drawing_of(layout: LayoutPart | None) -> Drawing | None:
    """A recipe's layout as the finger takes it."""
    return None if layout is None else Drawing(**{name: getattr(layout, name) for name in type(layout).model_fields})


def batches(items: Iterable[T], count: int) -> Iterator[list[T]]:
    """Lists of count items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, count)):
        yield batch
