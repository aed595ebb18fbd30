"""From a YAML file to a recipe that can be followed, or to one clear line for every mistake in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fpsynth.errors import UserError
from fpsynth.recipe.check import check, sampler_name
from fpsynth.recipe.document import read_document
from fpsynth.recipe.listed import images
from fpsynth.recipe.schema import Recipe
from fpsynth.recipe.validate import validate


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe, where it lay (relative paths start there), and what its author should know."""

    recipe: Recipe
    folder: Path
    notices: tuple[str, ...] = ()

    @cached_property
    def styles(self) -> tuple[Path, ...]:
        """The style images, in a fixed order."""
        return images(self.recipe.style.images, self.folder)

    @cached_property
    def backgrounds(self) -> tuple[Path, ...]:
        """The style images of what lies outside the print."""
        return images(self.recipe.style.background, self.folder)

    @cached_property
    def sources(self) -> tuple[Path, ...]:
        """The files of the fingers that exist, by identity; none where fingers are grown."""
        source = self.recipe.finger.source
        return source.paths(self.folder)[: self.recipe.identities] if source else ()

    @property
    def matched(self) -> tuple[Path, ...]:
        """The print that images are moved towards, if any."""
        match = self.recipe.sampling.match
        return images((match.print,), self.folder) if match else ()

    @property
    def model(self) -> Path | None:
        """The model's directory; None for virtual renders."""
        return self.recipe.sampling.folder(self.folder)

    @property
    def digest(self) -> str:
        """sha256 of what the recipe says, defaults included, and of the files that it lists."""
        digest = sha256(self.recipe.model_dump_json().encode())
        for path in (*self.styles, *self.backgrounds, *self.sources, *self.matched):
            digest.update(sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """Read, lay ``key=value`` options over, validate, check. Raises UserError, one line for each mistake."""
    document = read_document(path, overrides)
    for key, command in (("stage", f"train {document.data.get('stage')}"), ("method", "distill")):
        if key in document.data:
            raise document.error((key,), f"this is a recipe for training: fpsynth {command} {path}", of_key=True)
    recipe = validate(document, Recipe)
    findings = list(check(recipe, path.parent))
    fatal = [finding.line(document) for finding in findings if finding.fatal]
    if fatal:
        raise UserError("\n".join(fatal))
    notices = tuple(finding.line(document) for finding in findings)
    return LoadedRecipe(_settled(recipe, path.parent), path.parent.absolute(), notices)


def _settled(recipe: Recipe, folder: Path) -> Recipe:
    """With the name of the sampler in place of `default`; and where prints are drawn anew, whose images lie exactly on
    each other, with no noise shared unless the recipe says it: they would be one and the same."""
    told: dict[str, Any] = {"scheduler": sampler_name(recipe, folder)}
    source, sampling = recipe.finger.source, recipe.sampling
    if source is not None and source.drawn and "shared_noise_steps" not in sampling.model_fields_set:
        told["shared_noise_steps"] = 0
    sampling = sampling.model_copy(update=told)
    return recipe.model_copy(update={"sampling": sampling})


def recipe_yaml(recipe: Recipe) -> str:
    """The recipe with all its defaults, as YAML that loads again."""
    out, yaml = StringIO(), YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False  # type: ignore[assignment]
    yaml.dump(recipe.model_dump(mode="json"), out)
    return out.getvalue()
