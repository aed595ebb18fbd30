"""A diffusion model as a renderer."""

from collections.abc import Sequence
from pathlib import Path

from fpsynth.dataset import Renderer
from fpsynth.diffusion.denoiser.guidance import Towards
from fpsynth.diffusion.model import Model, load_model
from fpsynth.diffusion.sample import Request, Sampled, course_of, sample
from fpsynth.diffusion.settings import Settings
from fpsynth.embedding.embedder import load_embedder
from fpsynth.embedding.guide import Match, match_of
from fpsynth.errors import UserError
from fpsynth.extractor.picture import read_picture
from fpsynth.making.edits import canvas_of
from fpsynth.making.renderer import Drawn
from fpsynth.making.resolution import Resolution
from fpsynth.making.scene import Scene
from fpsynth.making.styles import Styles, load_styles
from fpsynth.model_folder import knows
from fpsynth.reader.guide import guiding_of
from fpsynth.recipe import LoadedRecipe, Recipe
from fpsynth.rng import Stream, generator, integer


class ModelRenderer:
    """A diffusion model, loaded once. digest: of its directory, for the rows."""

    def __init__(self, loaded: LoadedRecipe, folder: Path, device: str, digest: str) -> None:
        """Raises UserError, before the first image, for a recipe that the model cannot follow."""
        self.recipe, self.settings = loaded.recipe, sampling_settings(loaded.recipe)
        self.label = Renderer("diffusion", digest, loaded.recipe.sampling.student_name)
        self.model = load_model(folder, device, self.label.student)
        self.resolution = Resolution(knows(folder).scale(self.recipe.image.ppi))
        check_size(self.recipe, self.model, self.resolution.times)
        course_of(self.model, self.settings)
        self.planes = self.model.denoiser.planes
        self.guiding = guiding_of(self.model, device, folder) if self.recipe.sampling.guide else None
        self.match = _match(loaded, self.model, device)
        self.styles = load_styles(loaded)
        check_styles(self.styles, self.model, folder)

    def draw(self, scenes: Sequence[Scene], attempt: int) -> list[Drawn]:
        """Sample the scenes as one batch."""
        requests = [self.resolution.drawn(request(self.model, scene, attempt)) for scene in scenes]
        images = sample(self.model, self.settings, requests, self._towards(scenes))
        return [self._drawn(scene, attempt, image) for scene, image in zip(scenes, images, strict=True)]

    def _towards(self, scenes: Sequence[Scene]) -> list[Towards]:
        towards: list[Towards] = [self.match] if self.match else []
        if self.guiding is not None:
            words = [scene.row.words for scene in scenes]
            towards.append(self.guiding.towards(words, self.recipe.sampling.guide))
        return towards

    def _drawn(self, scene: Scene, attempt: int, made: Sampled) -> Drawn:
        node = scene.row.identity, scene.row.impression, attempt
        device, rng = str(self.model.denoiser.device), generator(self.recipe.seed, Stream.RENDER, *node)
        image = self.resolution.picture(made.image, rng, device)
        if scene.begin is not None:
            image = scene.begin.picture.back(image, scene.begin.sketch.kept)
        told = {"match": self.match.cosine(image, self.recipe.image.ppi)} if self.match else {}
        if scene.begin is not None:
            told["imagined"] = len(scene.begin.sketch.imagined)
        return Drawn(image, integer(self.recipe.seed, Stream.LATENT_IMPRESSION, *node), made.shared, told)


def _match(loaded: LoadedRecipe, model: Model, device: str) -> Match | None:
    """What draws the images to a given print. Raises UserError for a file in which there is none."""
    part = loaded.recipe.sampling.match
    if part is None:
        return None
    image = read_picture(loaded.matched[0], part.ppi).image
    return match_of(load_embedder(device=device), model.codec, image, part.strength)


def request(model: Model, scene: Scene, attempt: int = 0) -> Request:
    """A scene as the sampler takes it."""
    return Request(
        conditioning=scene.conditioning,
        flow=scene.impression.flow,
        master=scene.impression.master,
        identity=scene.row.identity,
        impression=scene.row.impression,
        attempt=attempt,
        canvas=None if scene.begin is None else canvas_of(model.codec, scene.begin),
        even=scene.row.words["sensor"] is not None,
    )


def check_size(recipe: Recipe, model: Model, times: float) -> None:
    """Raises UserError for images whose sides the model, drawing so many times finer, cannot make."""
    image, step = recipe.image, round(max(model.multiple / times, 1))
    if image.width % step or image.height % step:
        raise UserError(f"image: {image.width} x {image.height}: this model needs multiples of {step}")


def check_styles(styles: Styles, model: Model, folder: Path) -> None:
    """Raises UserError for style images that the model has no eyes for."""
    if (styles.images or styles.background) and "image_encoder" not in model.denoiser.parts:
        begun = "`fpsynth train adapters --set fresh=true` teaches it to see them"
        raise UserError(f"style: {folder} has no style adapter (ip_adapter/); {begun}")


def sampling_settings(recipe: Recipe) -> Settings:
    """The recipe's sampling part as the sampler takes it."""
    part = recipe.sampling
    assert part.scheduler is not None, "load_recipe settles it"
    return Settings(
        seed=recipe.seed,
        scheduler=part.scheduler,
        steps=part.steps,
        eta=part.eta,
        cfg_scale=part.cfg_scale,
        control_scale=part.control_scale,
        finish=part.finish,
        style_scale=recipe.style.scale,
        shared_steps=part.shared_noise_steps,
        shared_order=part.shared_noise_order,
        transport=part.shared_noise_transport,
    )
