"""A recipe: what it would make."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fpsynth.console import size
from fpsynth.inspect.look.result import Look
from fpsynth.inspect.report.section import Section
from fpsynth.recipe import load_recipe, make_plan
from fpsynth.recipe.load import recipe_yaml
from fpsynth.recipe.summary import summary


def look_at_recipe(path: Path) -> Look:
    """The plan and the resolved recipe. Raises UserError for a recipe with mistakes."""
    loaded = load_recipe(path)
    plan = summary(make_plan(loaded.recipe, len(loaded.styles)))
    figures = {"kind": "recipe", "path": str(path), "digest": loaded.digest, **plan}
    figures["recipe"] = loaded.recipe.model_dump(mode="json")
    resolved = Section("Recipe, with its defaults", _yaml_lines(recipe_yaml(loaded.recipe)))
    return Look(figures, [*_sections(plan), resolved], notices=list(loaded.notices))


def _sections(plan: Mapping[str, Any]) -> list[Section]:
    """Plain values together, then a section for each table of counts."""
    told = {**plan, "bytes": f"about {size(plan['bytes'])}"}
    plain = [(name.replace("_", " "), str(value)) for name, value in told.items() if not isinstance(value, Mapping)]
    sections = [Section("Plan", plain)]
    for name, value in plan.items():
        if isinstance(value, Mapping) and value:
            lines = [(str(key), _text(told)) for key, told in value.items()]
            sections.append(Section(name.replace("_", " ").capitalize(), lines))
    return sections


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{word} {count}" for word, count in value.items())
    return str(value)


def _yaml_lines(text: str) -> list[tuple[str, str]]:
    """Key and value of each line; nested keys keep their indentation."""
    lines = []
    for line in text.rstrip().splitlines():
        key, _, value = line.partition(":")
        lines.append((key, value.strip()))
    return lines
