"""Virtual sensors as a renderer: no diffusion, a fast baseline and a preview."""

from collections.abc import Sequence

from fpsynth.dataset import Renderer
from fpsynth.making.renderer import Drawn
from fpsynth.making.scene import Scene
from fpsynth.making.styles import NO_STYLES
from fpsynth.recipe import Recipe
from fpsynth.rng import Stream, generator, integer
from fpsynth.sensor import draw_device, render


class VirtualRenderer:
    """Virtual sensors: every image by a device of its own, drawn from the seed tree."""

    planes: tuple[str, ...] = ()
    styles = NO_STYLES

    def __init__(self, recipe: Recipe) -> None:
        self.label = Renderer("virtual")
        self.seed = recipe.seed

    def draw(self, scenes: Sequence[Scene], attempt: int) -> list[Drawn]:
        """The render of each scene by a device of the row's sensor, on the row's surface, by its technique."""
        return [self._draw(scene, attempt) for scene in scenes]

    def _draw(self, scene: Scene, attempt: int) -> Drawn:
        node, words = (scene.row.identity, scene.row.impression, attempt), scene.row.words
        rng = generator(self.seed, Stream.DEVICE, *node)
        device = draw_device(words["sensor"] or "optical", rng, words["surface"], words["technique"])
        image = render(scene.impression, device, generator(self.seed, Stream.RENDER, *node))
        return Drawn(image.cpu().numpy(), integer(self.seed, Stream.RENDER, *node))
