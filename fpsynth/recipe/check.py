"""What the schema's types cannot say of a recipe: files that must exist, and keys that must agree with each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from fpsynth.recipe.document import Loc
from fpsynth.recipe.schema import DEFAULT, NONE, PromptPart, Recipe, SamplingPart, shares_of
from fpsynth.recipe.styles import StyleProblem, style_paths
from fpsynth.recipe.types import nearest
from fpsynth.slots import SLOTS, spoken_slots

DETERMINISTIC = ("ddim", "dpmpp", "euler")
"""Samplers that draw no noise after the first."""


@dataclass(frozen=True)
class Finding:
    """Something to tell about a recipe; fatal: it cannot be followed."""

    loc: Loc
    text: str
    fatal: bool = True


def check(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    """Everything that is wrong or surprising; relative paths start at folder."""
    yield from _finger(recipe)
    yield from _prompt(recipe.prompt, recipe.sampling.virtual)
    yield from _impossible(recipe)
    yield from _noise(recipe.sampling)
    yield from _model(recipe.sampling, folder)
    yield from _styles(recipe, folder)


def _finger(recipe: Recipe) -> Iterator[Finding]:
    finger = recipe.finger
    if finger.ten_fingers and finger.position != {"unknown": 1.0}:
        yield Finding(("finger", "position"), "cannot be chosen when ten_fingers is true: each subject has all ten")
    if finger.ten_fingers and recipe.identities % 10:
        text = f"{recipe.identities} identities do not make whole subjects of ten; the last has fewer fingers"
        yield Finding(("identities",), text, fatal=False)


def _prompt(prompt: PromptPart, virtual: bool) -> Iterator[Finding]:
    if virtual and prompt.sensor is None:
        yield Finding(("prompt", "sensor"), "a virtual render needs a sensor")
    if virtual and prompt.text is not None:
        yield Finding(("prompt", "text"), "has no effect on virtual renders", fatal=False)
    try:
        slots = [slot for _, slot, _, _ in Formatter().parse(prompt.text or "") if slot is not None]
    except ValueError as error:
        yield Finding(("prompt", "text"), f"{error}")
        return
    known = tuple(spoken_slots())
    for slot in slots:
        if slot not in known:
            hint = nearest(slot, known) or f": one of {', '.join(known)}"
            yield Finding(("prompt", "text"), f"unknown slot {{{slot}}}{hint}")
        elif getattr(prompt, slot, "") is None:
            yield Finding(("prompt", "text"), f"asks for {{{slot}}}, but prompt.{slot} is null")


def _impossible(recipe: Recipe) -> Iterator[Finding]:
    """Words that none of the recipe's sensors can have: they are left open in every row."""
    sensors: list[str | None] = [*_asked(shares_of(recipe, "sensor"))] or [None]
    for name, slot in SLOTS.items():
        for word in _asked(shares_of(recipe, name)):
            if not any(slot.allowed(word, sensor) for sensor in sensors):
                having = " or ".join(sensor for sensor, words in slot.only.items() if word in words)
                text = f"{word} is left out: only {having} prints have it, and prompt.sensor asks for none"
                yield Finding((slot.part, name), text, fatal=False)


def _asked(shares: Mapping[str, float] | None) -> list[str]:
    return [word for word, share in (shares or {}).items() if share > 0]


def _noise(sampling: SamplingPart) -> Iterator[Finding]:
    loc = ("sampling", "shared_noise_steps")
    shared, steps = sampling.shared_noise_steps, sampling.steps
    if shared > steps:
        yield Finding(loc, f"{shared} is more than the {steps} steps (sampling.steps)")
    told = "shared_noise_steps" in sampling.model_fields_set
    if told and shared and sampling.scheduler in DETERMINISTIC and not sampling.virtual:
        text = f"{sampling.scheduler} draws no noise between its steps: only the initial noise is shared"
        yield Finding(loc, text, fatal=False)


def _model(sampling: SamplingPart, folder: Path) -> Iterator[Finding]:
    if sampling.virtual or sampling.model == DEFAULT:
        return
    path = folder / sampling.model
    if not path.is_dir():
        yield Finding(("sampling", "model"), f"no directory {path} (or one of: default, virtual)")
    elif not (path / "model_index.json").is_file():
        yield Finding(("sampling", "model"), f"{path} is not a model directory (no model_index.json)")
    elif sampling.student not in (DEFAULT, NONE) and not (path / "students" / sampling.student).is_dir():
        yield Finding(("sampling", "student"), f"{path} has no student {sampling.student!r}")


def _styles(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    try:
        found = style_paths(recipe.style.images, folder)
    except StyleProblem as problem:
        yield Finding(("style", "images", problem.index), problem.text)
        return
    if found and recipe.sampling.virtual:
        yield Finding(("style", "images"), "has no effect on virtual renders", fatal=False)
