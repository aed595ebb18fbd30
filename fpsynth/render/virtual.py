"""Virtual sensors as a renderer: no diffusion, a fast baseline and a preview."""

from collections.abc import Sequence

from fpsynth.dataset import Renderer
from fpsynth.recipe import Recipe
from fpsynth.render.renderer import Drawn
from fpsynth.render.scene import Scene
from fpsynth.rng import Stream, generator, integer
from fpsynth.sensor import draw_device, render


class VirtualRenderer:
    """Virtual sensors: every image by a device of its own, drawn from the seed tree."""

    def __init__(self, recipe: Recipe) -> None:
        self.label = Renderer("virtual")
        self.seed = recipe.seed

    def draw(self, scenes: Sequence[Scene], attempt: int) -> list[Drawn]:
        """The render of each scene by a device of the row's sensor, on the surface that the row says."""
        return [self._draw(scene, attempt) for scene in scenes]

    def _draw(self, scene: Scene, attempt: int) -> Drawn:
        words, node = scene.row.words, (scene.row.identity, scene.row.impression, attempt)
        rng = generator(self.seed, Stream.DEVICE, *node)
        device = draw_device(words["sensor"] or "optical", rng, words["surface"])
        image = render(scene.impression, device, generator(self.seed, Stream.RENDER, *node))
        return Drawn(image.cpu().numpy(), integer(self.seed, Stream.RENDER, *node))
