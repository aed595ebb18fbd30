"""What an image is to show: a row of the plan, its finger's impression, and what a model is told of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import TypeVar

from fpsynth.conditioning.conditions import Conditioning, Style
from fpsynth.conditioning.planes import control_planes
from fpsynth.conditioning.prompt import prompt_text
from fpsynth.finger import Master, make_finger
from fpsynth.impression import CaptureSettings, Impression, capture
from fpsynth.recipe import IdentityPlan, Recipe, RowPlan
from fpsynth.rng import Stream, generator

T = TypeVar("T")


@dataclass(frozen=True)
class Scene:
    """All that an image is made from, and that its row says."""

    row: RowPlan
    impression: Impression
    conditioning: Conditioning


class Scenes:
    """What scenes are built of, on the CPU whatever the model runs on: the truth is the same on every machine.

    planes: names of the control planes that the renderer wants; styles: the recipe's style images, if it wants them;
    attempts: by identity, which of its draws is its finger, where that is not the first. Rows come identity by
    identity, so the last finger is kept.
    """

    def __init__(
        self,
        recipe: Recipe,
        planes: tuple[str, ...] = (),
        styles: Sequence[Style] = (),
        attempts: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        self.recipe, self.planes, self.styles, self.attempts = recipe, planes, styles, attempts
        self._last: tuple[IdentityPlan, Master] | None = None

    def grow(self, who: IdentityPlan) -> Master:
        """The identity's finger."""
        if self._last is None or self._last[0] != who:
            self._last = who, grow(self.recipe.seed, who, self.attempts.get(who.identity, 0))
        return self._last[1]

    def take(self, finger: Master, row: RowPlan) -> Impression:
        """The row's capture of the finger."""
        rng = generator(self.recipe.seed, Stream.CAPTURE, row.identity, row.impression)
        image, variation = self.recipe.image, self.recipe.capture.variation
        settings = CaptureSettings.saying(row.words, image.width, image.height, image.ppi, variation)
        return capture(finger, settings, rng)

    def tell(self, row: RowPlan, impression: Impression) -> Conditioning:
        """What a model is told of the image."""
        planes = control_planes(impression, self.planes) if self.planes else ()
        return Conditioning(
            planes=dict(zip(self.planes, planes, strict=True)),
            prompt=prompt_text(row.words, self.recipe.prompt.text),
            styles=tuple(self.styles[number] for number in row.styles) if self.styles else (),
            minutiae=impression.minutiae,
        )


def grow(seed: int, who: IdentityPlan, attempt: int = 0) -> Master:
    """A finger of the identity's class and position; every attempt is another one."""
    return make_finger(generator(seed, Stream.FINGER, who.identity, attempt=attempt), who.pattern, who.finger)


def batches(items: Iterable[T], count: int) -> Iterator[list[T]]:
    """Lists of count items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, count)):
        yield batch
