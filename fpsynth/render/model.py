"""A diffusion model as a renderer."""

from collections.abc import Sequence

from fpsynth.conditioning.planes import control_planes
from fpsynth.conditioning.prompt import prompt_text
from fpsynth.conditioning.style import load_style
from fpsynth.dataset import Renderer
from fpsynth.diffusion.bundle import digest
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.sample import Request, Sampled, Settings, sample
from fpsynth.diffusion.samplers import make_sampler
from fpsynth.recipe import LoadedRecipe, Recipe
from fpsynth.render.means import model_folder, student_name
from fpsynth.render.renderer import Drawn
from fpsynth.render.scene import Scene
from fpsynth.rng import Stream, integer


class ModelRenderer:
    """A diffusion model, loaded once."""

    def __init__(self, loaded: LoadedRecipe, device: str) -> None:
        folder, student = model_folder(loaded), student_name(loaded)
        self.label = Renderer("diffusion", digest(folder), student)
        self.model = load_model(folder, device, student)
        self.recipe = loaded.recipe
        part = self.recipe.sampling
        make_sampler(part.scheduler, self.model.schedule, part.steps, device)  # raises before the first image
        self.styles = [(path.name, load_style(path)) for path in loaded.styles]

    def draw(self, scenes: Sequence[Scene], attempt: int) -> list[Drawn]:
        """Sample the scenes as one batch."""
        requests = [self._request(scene, attempt) for scene in scenes]
        images = sample(self.model, sampling_settings(self.recipe), requests)
        return [self._drawn(scene, attempt, image) for scene, image in zip(scenes, images, strict=True)]

    def _request(self, scene: Scene, attempt: int) -> Request:
        row, impression = scene.row, scene.impression
        return Request(
            planes=control_planes(impression),
            prompt=prompt_text(row.words, self.recipe.prompt.text),
            style=None if row.style is None else self.styles[row.style][1],
            flow=impression.flow,
            identity=row.identity,
            impression=row.impression,
            attempt=attempt,
        )

    def _drawn(self, scene: Scene, attempt: int, made: Sampled) -> Drawn:
        row = scene.row
        seed = integer(self.recipe.seed, Stream.LATENT_IMPRESSION, row.identity, row.impression, attempt)
        style = None if row.style is None else self.styles[row.style][0]
        return Drawn(made.image, seed, style, made.shared)


def sampling_settings(recipe: Recipe) -> Settings:
    """The recipe's sampling part as the sampler takes it."""
    part = recipe.sampling
    return Settings(
        seed=recipe.seed,
        steps=part.steps,
        scheduler=part.scheduler,
        cfg_scale=part.cfg_scale,
        control_scale=part.control_scale,
        style_scale=recipe.style.scale,
        shared_steps=part.shared_noise_steps,
        shared_order=part.shared_noise_order,
        transport=part.shared_noise_transport,
    )
