"""A recipe's style images, and which of them a row is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fpsynth.conditioning.conditions import Style
from fpsynth.conditioning.style import load_style
from fpsynth.recipe import LoadedRecipe, RowPlan
from fpsynth.rng import Stream, generator


@dataclass(frozen=True)
class Styles:
    """images: of the whole picture, or of the print alone where there are some of the background."""

    images: Sequence[Style] = ()
    background: Sequence[Style] = ()

    def of(self, row: RowPlan) -> tuple[Style, ...]:
        """The row's, as its plan says."""
        return tuple(self.images[number] for number in row.styles) if self.images else ()

    def behind(self, row: RowPlan, seed: int) -> tuple[Style, ...]:
        """One of those of the background, where there are any; seed: the recipe's."""
        if not self.background:
            return ()
        rng = generator(seed, Stream.STYLE, row.identity, row.impression, attempt=1)
        return (self.background[int(rng.random() * len(self.background))],)


NO_STYLES: Final = Styles()


def load_styles(loaded: LoadedRecipe) -> Styles:
    """Read from disk. Raises UserError for a file that is no image."""
    images, background = (
        [Style(path.name, load_style(path)) for path in paths] for paths in (loaded.styles, loaded.backgrounds)
    )
    return Styles(images, background)
