"""What a run is settled on before anything is made: the means besides the recipe, and that it can be done at all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from fpsynth import __version__
from fpsynth.conditioning.prompt import prompt_text, unknown_words
from fpsynth.dataset import DatasetSpec
from fpsynth.dataset.spec import REBUILT_FROM
from fpsynth.device import choose_device
from fpsynth.embedding.bundled import bundled_digest
from fpsynth.extractor import chosen
from fpsynth.extractor.network import extractor_digest
from fpsynth.gate import notice
from fpsynth.making.renderer import SceneRenderer
from fpsynth.model_folder import knows
from fpsynth.reader.bundled import bundled_reader_digest
from fpsynth.recipe import LoadedRecipe, Plan, Recipe, recipe_yaml
from fpsynth.recipe.schema import DEFAULT, VIRTUAL


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that a worker needs to make any shard; small enough to be sent.

    root      of the dataset; absolute where the worker runs in another folder
    device    where the renderer runs
    batch     images drawn at once
    attempts  by identity, which of its draws is its finger, where that is not the first (see making.screen)
    """

    loaded: LoadedRecipe
    root: Path
    spec: DatasetSpec
    device: str
    batch: int
    attempts: Mapping[int, int] = field(default_factory=dict)


def settle(loaded: LoadedRecipe, plan: Plan, root: Path, device: str, batch: int | None) -> Job:
    """The job of a recipe. Raises UserError for a device that is not there and for a model that is damaged."""
    recipe = loaded.recipe
    where = "cpu" if recipe.sampling.virtual else choose_device(device)
    count = 1 if recipe.sampling.virtual else batch or (32 if where == "cuda" else 4)
    spec = DatasetSpec(
        name=recipe.name,
        splits=plan.splits,
        format=recipe.output.format,
        sidecars=recipe.output.minutiae,
        provenance={"recipe": loaded.digest, "fpsynth": __version__, "batch": count, **_means(loaded, where)},
        recipe=recipe_yaml(recipe),
    )
    return Job(loaded=loaded, root=root, spec=spec, device=where, batch=count)


def _means(loaded: LoadedRecipe, device: str) -> Mapping[str, str | None]:
    """What the bytes depend on besides the recipe: for the manifest, so that no run goes on with other means."""
    versions = {name: version(name) for name in ("torch", "numpy")}
    if source := loaded.recipe.finger.source:
        versions[REBUILT_FROM] = source.kind
        if source.kind != "minutiae":
            versions["extractor"] = extractor_digest()
    judge = "none" if loaded.recipe.gate is None else chosen()
    if loaded.model is None:
        return {"model": VIRTUAL, "device": device, "gate": judge, **versions}
    from fpsynth.diffusion.bundle import check_bundle, digest
    from fpsynth.diffusion.model import drawn_by
    from fpsynth.diffusion.upscale import upscaler_digest

    check_bundle(loaded.model)
    if loaded.recipe.sampling.guide or (source and source.drawn):
        versions["reader"] = bundled_reader_digest()
    if loaded.recipe.sampling.match:
        versions["embedding"] = bundled_digest()
    if knows(loaded.model).scale(loaded.recipe.image.ppi) < 1:
        versions["upscaler"] = upscaler_digest()
    return {"model": digest(loaded.model), "gate": judge, **versions, **drawn_by(device)}


def notes(loaded: LoadedRecipe) -> Iterator[str]:
    """What the author of a recipe should know before the run: who judges, and words that the model never saw."""
    text, model = loaded.recipe.prompt.text, loaded.model
    if loaded.recipe.gate and (judge := notice()):
        yield judge
    if loaded.recipe.sampling.model == DEFAULT and not _looks_said(loaded.recipe):
        yield "neither words nor a style image say the sensor: the bundled model then patches prints from several"
    if model is None or text is None:
        return
    if strange := unknown_words(prompt_text({}, text), knows(model).slots or None):
        yield f"the model never saw these words of prompt.text: {', '.join(strange)}"


def _looks_said(recipe: Recipe) -> bool:
    """Whether anything says what prints look like: the recipe, or prints that are drawn anew."""
    source, style = recipe.finger.source, recipe.style
    return any((recipe.prompt.sensor, recipe.prompt.text, style.images, style.context, source and source.drawn))


def open_renderer(job: Job) -> SceneRenderer:
    """The renderer that the recipe asks for, ready to draw. Raises UserError for a model that cannot be used."""
    if job.loaded.model is None:
        from fpsynth.making.virtual import VirtualRenderer

        return VirtualRenderer(job.loaded.recipe)
    from fpsynth.making.model import ModelRenderer

    return ModelRenderer(job.loaded, job.loaded.model, job.device, str(job.spec.provenance["model"]))
