"""A diffusion model as a renderer."""

from collections.abc import Sequence
from pathlib import Path

from fpsynth.conditioning.conditions import Conditioning, Style
from fpsynth.conditioning.planes import control_planes
from fpsynth.conditioning.prompt import prompt_text
from fpsynth.conditioning.style import load_style
from fpsynth.dataset import Renderer
from fpsynth.diffusion.bundle import digest
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.sample import Request, Sampled, Settings, course_of, sample
from fpsynth.errors import UserError
from fpsynth.finger import MASTER_HEIGHT, MASTER_WIDTH
from fpsynth.recipe import LoadedRecipe, Recipe
from fpsynth.recipe.schema import NONE
from fpsynth.render.means import model_folder
from fpsynth.render.renderer import Drawn
from fpsynth.render.scene import Scene
from fpsynth.rng import Stream, integer


class ModelRenderer:
    """A diffusion model, loaded once."""

    def __init__(self, loaded: LoadedRecipe, device: str) -> None:
        """Raises UserError, before the first image, for a recipe that the model cannot follow."""
        folder: Path = model_folder(loaded)
        self.recipe, self.settings = loaded.recipe, sampling_settings(loaded.recipe)
        student = loaded.recipe.sampling.student
        self.label = Renderer("diffusion", digest(folder), None if student == NONE else student)
        self.model = load_model(folder, device, self.label.student)
        self._check_size()
        course_of(self.model, self.settings)
        self.styles = [Style(path.name, load_style(path)) for path in loaded.styles]

    def _check_size(self) -> None:
        image, step = self.recipe.image, self.model.multiple
        if image.width % step or image.height % step:
            raise UserError(
                f"image {image.width} x {image.height}: this model needs sides that are multiples of {step}"
            )

    def draw(self, scenes: Sequence[Scene], attempt: int) -> list[Drawn]:
        """Sample the scenes as one batch."""
        images = sample(self.model, self.settings, [self._request(scene, attempt) for scene in scenes])
        return [self._drawn(scene, attempt, image) for scene, image in zip(scenes, images, strict=True)]

    def _request(self, scene: Scene, attempt: int) -> Request:
        row, impression = scene.row, scene.impression
        return Request(
            conditioning=Conditioning(
                planes=dict(zip(("ridge", "contact", "load"), control_planes(impression), strict=True)),
                prompt=prompt_text(row.words, self.recipe.prompt.text),
                styles=() if row.style is None else (self.styles[row.style],),
                minutiae=impression.minutiae,
            ),
            flow=impression.flow,
            master=(MASTER_HEIGHT, MASTER_WIDTH),
            identity=row.identity,
            impression=row.impression,
            attempt=attempt,
        )

    def _drawn(self, scene: Scene, attempt: int, made: Sampled) -> Drawn:
        row = scene.row
        seed = integer(self.recipe.seed, Stream.LATENT_IMPRESSION, row.identity, row.impression, attempt)
        style = None if row.style is None else self.styles[row.style].name
        return Drawn(made.image, seed, style, made.shared)


def sampling_settings(recipe: Recipe) -> Settings:
    """The recipe's sampling part as the sampler takes it."""
    part = recipe.sampling
    return Settings(
        seed=recipe.seed,
        scheduler=part.scheduler or "ddim",
        steps=part.steps,
        eta=part.eta,
        cfg_scale=part.cfg_scale,
        control_scale=part.control_scale,
        style_scale=recipe.style.scale,
        shared_steps=part.shared_noise_steps,
        shared_order=part.shared_noise_order,
        transport=part.shared_noise_transport,
    )
