"""What a renderer is: it makes an image of a scene, and another one when it is asked again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from fpsynth.dataset import Renderer
from fpsynth.making.scene import Scene
from fpsynth.making.styles import Styles


@dataclass(frozen=True)
class Drawn:
    """One try at an image.

    image (height, width) uint8; seed: what this try's own draws start from; shared_noise: how many noise injections it
    shared with the identity's other images; told: further parameters of the row.
    """

    image: np.ndarray
    seed: int
    shared_noise: int = 0
    told: Mapping[str, float] = field(default_factory=dict)


class SceneRenderer(Protocol):
    """Makes images of scenes."""

    @property
    def label(self) -> Renderer:
        """How rows name it."""

    @property
    def planes(self) -> tuple[str, ...]:
        """The control planes that it wants to be told."""

    @property
    def styles(self) -> Styles:
        """The recipe's style images; none where it has no use for them."""

    def draw(self, scenes: Sequence[Scene], attempt: int) -> list[Drawn]:
        """One image of each scene; another attempt gives other images of the same scenes."""
