"""The means of a run besides its recipe: which model, on which device, with which judge and libraries."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from fpsynth.extractor import chosen
from fpsynth.recipe import LoadedRecipe
from fpsynth.recipe.schema import NONE, VIRTUAL


def model_folder(loaded: LoadedRecipe) -> Path:
    """The directory of the recipe's model."""
    from fpsynth.model_folder import default_model

    return loaded.model or default_model()


def student_name(loaded: LoadedRecipe) -> str | None:
    """The student that samples; None for the model itself."""
    student = loaded.recipe.sampling.student
    return None if student == NONE else student


def means(loaded: LoadedRecipe, device: str) -> Mapping[str, str | None]:
    """What the bytes depend on besides the recipe: for the manifest, so that no run goes on with other means.

    Raises UserError for a model that is missing or damaged.
    """
    versions = {name: version(name) for name in ("torch", "numpy")}
    judge = "none" if loaded.recipe.gate is None else chosen()
    if loaded.recipe.sampling.virtual:
        return {"model": VIRTUAL, "device": device, "gate": judge, **versions}
    from fpsynth.diffusion.bundle import check_bundle, digest
    from fpsynth.diffusion.model import natural_dtype

    folder = model_folder(loaded)
    check_bundle(folder)
    kind = f"{device} {natural_dtype(device)}".replace("torch.", "")
    return {"model": digest(folder), "device": kind, "gate": judge, **versions, "diffusers": version("diffusers")}
