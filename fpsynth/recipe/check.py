"""What the schema's types cannot say of a recipe: files that must exist, and keys that must agree with each other."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from string import Formatter

from fpsynth.minutiae.fmr import MIN_RESOLUTION
from fpsynth.model_folder import INDEX, Knows, knows, own_sampler, students
from fpsynth.recipe.finding import Finding
from fpsynth.recipe.listed import FileProblem, images
from fpsynth.recipe.rule_check import asked_words, askings, check_rules, having
from fpsynth.recipe.schema import Recipe, SamplingPart
from fpsynth.recipe.types import nearest
from fpsynth.slots import SLOTS, spoken_slots
from fpsynth.vocabulary import SAMPLERS

MODEL_PPI = 500
GUIDED_STEPS = 10
"""Least steps in which a gradient moves an image little by little."""


def check(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    """Everything that is wrong or surprising; relative paths start at folder."""
    yield from _finger(recipe)
    yield from _source(recipe, folder)
    yield from _layout(recipe)
    yield from _prompt(recipe)
    yield from check_rules(recipe)
    yield from _impossible(recipe)
    yield from _model(recipe, folder)
    yield from _noise(recipe, folder)
    yield from _guide(recipe)
    yield from _match(recipe, folder)
    yield from _styles(recipe, folder)
    yield from _records(recipe)


def sampler_name(recipe: Recipe, folder: Path) -> str | None:
    """The sampler that the recipe names, or that its model is meant for; None for virtual renders, or for no model."""
    path = recipe.sampling.folder(folder)
    return None if path is None else recipe.sampling.scheduler or own_sampler(path, recipe.sampling.student_name)


def _finger(recipe: Recipe) -> Iterator[Finding]:
    finger = recipe.finger
    if finger.ten_fingers and finger.position != {"unknown": 1.0}:
        yield Finding(("finger", "position"), "cannot be chosen when ten_fingers is true: each subject has all ten")
    if finger.ten_fingers and recipe.identities % 10:
        text = f"{recipe.identities} identities do not make whole subjects of ten; the last has fewer fingers"
        yield Finding(("identities",), text, fatal=False)


def _source(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    """Fingers that come from files: each a finger, which has the class that it has."""
    finger, source = recipe.finger, recipe.finger.source
    if source is None:
        return
    if sum(map(bool, (source.minutiae, source.prints, source.images))) != 1:
        yield Finding(("finger", "source"), "one of minutiae, prints and images must be listed, and not two")
        return
    if source.images:
        yield from _redrawn(recipe)
    try:
        count = len(source.paths(folder))
    except FileProblem as problem:
        yield Finding(("finger", "source", source.kind, problem.index), problem.text)
        return
    if recipe.identities > count:
        text = f"{recipe.identities}, but finger.source lists {count} files, and each is one identity"
        yield Finding(("identities",), text)
    if finger.pattern is not None:
        yield Finding(("finger", "pattern"), "is read from the files of finger.source")
    if finger.unique is not None:
        yield Finding(("finger", "unique"), "has no effect with finger.source: the fingers are those of the files")


def _redrawn(recipe: Recipe) -> Iterator[Finding]:
    """Prints that are drawn anew: by a model, as they lie there."""
    if recipe.sampling.virtual:
        yield Finding(("finger", "source", "images"), "a diffusion model draws prints anew; sampling.model is virtual")
    if recipe.image.ppi != MODEL_PPI:
        yield Finding(("image", "ppi"), f"prints are drawn anew at {MODEL_PPI} ppi")


def _layout(recipe: Recipe) -> Iterator[Finding]:
    """Cores and deltas that a fingertip can have: as many of the one as of the other."""
    layout, loc = recipe.finger.layout, ("finger", "layout")
    if layout is None:
        return
    if recipe.finger.source is not None:
        yield Finding(loc, "has no place beside finger.source: those fingers are as they are")
    cores, deltas = layout.cores, layout.deltas
    if (cores is None) != (deltas is None):
        missing = "deltas" if deltas is None else "cores"
        yield Finding(loc, f"{missing} are missing: cores and deltas are placed together ([]: an arch, which has none)")
        return
    if cores is None or deltas is None:
        return
    if len(cores) != len(deltas):
        text = f"{len(cores)} cores and {len(deltas)} deltas: a fingertip has as many of each (arch 0, loop 1, whorl 2)"
        yield Finding(loc, text)
    if recipe.finger.pattern is not None:
        yield Finding(("finger", "pattern"), "is decided by the cores and deltas of finger.layout")


def _prompt(recipe: Recipe) -> Iterator[Finding]:
    prompt, virtual = recipe.prompt, recipe.sampling.virtual
    if virtual:
        yield from _taught(recipe, {})
    if virtual and prompt.sensor is None:
        yield Finding(("prompt", "sensor"), "a virtual render needs a sensor")
    if virtual and prompt.text is not None:
        yield Finding(("prompt", "text"), "has no effect on virtual renders", fatal=False)
    try:
        parsed = [part for part in Formatter().parse(prompt.text or "") if part[1] is not None]
    except ValueError as error:
        yield Finding(("prompt", "text"), f"{error}")
        return
    slots = [str(slot) for _, slot, _, _ in parsed]
    if any(form or conversion for _, _, form, conversion in parsed):
        yield Finding(("prompt", "text"), "{slot} may stand in it, and nothing else in braces")
        return
    known = tuple(spoken_slots())
    for slot in slots:
        if slot not in known:
            hint = nearest(slot, known) or f": one of {', '.join(known)}"
            yield Finding(("prompt", "text"), f"unknown slot {{{slot}}}{hint}")
        elif not _can_be_said(recipe, slot):
            yield Finding(("prompt", "text"), f"asks for {{{slot}}}, but {SLOTS[slot].part}.{slot} is null")


def _can_be_said(recipe: Recipe, slot: str) -> bool:
    """Whether rows may have a word in this slot: a class always, others as the recipe or its examples say."""
    by_example = bool(recipe.style.context) and SLOTS[slot].part == "prompt"
    unsaid = slot not in recipe.prompt.model_fields_set
    return slot == "pattern" or bool(asked_words(recipe, slot)) or (by_example and unsaid)


def _taught(recipe: Recipe, known: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """Words that have no meaning but for a model that was taught them."""
    for name, slot in SLOTS.items():
        for loc, asked in askings(recipe, name):
            for word in sorted(set(slot.taught) & set(asked) - set(known.get(name, ()))):
                yield Finding(loc, f"{word} is known only to a model that was adapted (fpsynth train adapt)")


def _impossible(recipe: Recipe) -> Iterator[Finding]:
    """Words that none of the recipe's sensors can have: they are left open in every row."""
    sensors: list[str | None] = [*asked_words(recipe, "sensor")] or [None]
    for name, slot in SLOTS.items():
        for loc, words in askings(recipe, name):
            for word in words:
                if not any(slot.allowed(word, sensor) for sensor in sensors):
                    left = f"{word} is left out: only {having(name, word)} prints have it"
                    yield Finding(loc, f"{left}, and prompt.sensor asks for none", fatal=False)


def _noise(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    sampling, loc = recipe.sampling, ("sampling", "shared_noise_steps")
    shared, steps = sampling.shared_noise_steps, sampling.steps
    if shared > steps:
        yield Finding(loc, f"{shared} is more than the {steps} steps (sampling.steps)")
    name = sampler_name(recipe, folder)
    if name is None:
        return
    if sampling.eta is not None and SAMPLERS[name].eta is None:
        choosing = " and ".join(other for other, facts in SAMPLERS.items() if facts.eta is not None)
        yield Finding(("sampling", "eta"), f"{name} has no choice of it; {choosing} have")
    told = "shared_noise_steps" in sampling.model_fields_set
    if told and shared and not SAMPLERS[name].injections(max(steps, 2), sampling.eta):
        text = f"{name} draws no noise between its steps: only the initial noise is shared"
        yield Finding(loc, text, fatal=False)


def _guide(recipe: Recipe) -> Iterator[Finding]:
    sampling = recipe.sampling
    if not sampling.guide:
        return
    yield from _steps_of(sampling, "guide")
    for slot in sampling.guide:
        if not _can_be_said(recipe, slot):
            text = f"{SLOTS[slot].part}.{slot} is null: there is no word to guide towards"
            yield Finding(("sampling", "guide", slot), text)


def _match(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    match = recipe.sampling.match
    if match is None:
        return
    yield from _steps_of(recipe.sampling, "match")
    try:
        found = images((match.print,), folder)
    except FileProblem as problem:
        yield Finding(("sampling", "match", "print"), problem.text)
        return
    if len(found) > 1:
        yield Finding(("sampling", "match", "print"), f"{len(found)} files; one is needed")


def _steps_of(sampling: SamplingPart, key: str) -> Iterator[Finding]:
    """Whether there are steps enough for a gradient to guide by."""
    if sampling.virtual:
        yield Finding(("sampling", key), "has no effect on virtual renders", fatal=False)
    elif sampling.student_name is not None or sampling.steps < GUIDED_STEPS:
        text = f"needs the model itself (sampling.student: none) and at least {GUIDED_STEPS} steps (sampling.steps)"
        yield Finding(("sampling", key), text)


def _model(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    sampling, path = recipe.sampling, recipe.sampling.folder(folder)
    if path is None:
        return
    name = sampling.student_name
    if not os.path.isdir(path):  # a name may be longer than any file's: Path.is_dir would raise
        yield Finding(("sampling", "model"), f"no directory {path} (or one of: default, virtual)")
    elif not (path / INDEX).is_file():
        yield Finding(("sampling", "model"), f"{path} is not a model directory (no {INDEX})")
    elif name is not None and name not in (having := students(path)):
        told = f"it has: {', '.join(having)}" if having else "it has none; `none` samples with the model itself"
        yield Finding(("sampling", "student"), f"{path} has no student {name!r}; {told}")
    else:
        yield from _sampler(sampling, path)
        yield from _unseen(recipe, knows(path))


def _sampler(sampling: SamplingPart, path: Path) -> Iterator[Finding]:
    """The sampler that is asked for against the one that the student, or the model, is meant for."""
    own, asked, student = own_sampler(path, sampling.student_name), sampling.scheduler, sampling.student_name
    if own is None and asked is None:
        yield Finding(("sampling", "scheduler"), f"{path} does not say how it is sampled; name one of {_names()}")
    elif student is not None and own is not None and asked not in (None, own):
        text = f"the student {student!r} learnt to be sampled by {own}, not by {asked}"
        yield Finding(("sampling", "scheduler"), text, fatal=False)


def _names() -> str:
    return ", ".join(SAMPLERS)


def _unseen(recipe: Recipe, known: Knows) -> Iterator[Finding]:
    """What the model was never shown: words, image sides, resolutions."""
    image = recipe.image
    for key, value, seen in (("width", image.width, known.sides), ("height", image.height, known.sides)):
        if seen and value * known.scale(image.ppi) not in seen:
            yield Finding(("image", key), f"the model never saw images of {value} pixels a side", fatal=False)
    if known.ppi and image.ppi * known.scale(image.ppi) not in known.ppi:
        yield Finding(("image", "ppi"), f"the model never saw prints at {image.ppi} ppi", fatal=False)
    yield from _taught(recipe, known.slots)
    for name, slot in SLOTS.items():
        words = (*known.slots.get(name, ()), *slot.taught)
        for loc, asked in askings(recipe, name):
            strange = [word for word in asked if known.slots and word not in words]
            if strange and slot.phrase:
                yield Finding(loc, f"the model never saw {', '.join(strange)}", fatal=False)


def _styles(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    style = recipe.style
    counts = {}
    for key, entries in (("images", style.images), ("background", style.background), ("context", style.context)):
        try:
            counts[key] = len(images(entries, folder))
        except FileProblem as problem:
            yield Finding(("style", key, problem.index), problem.text)
    found = counts.get("images")
    if found is not None and style.per_image > max(found, 1):
        yield Finding(("style", "per_image"), f"{style.per_image} of each image, but style.images names {found}")
    for key in ("images", "background"):
        if counts.get(key) and recipe.sampling.virtual:
            yield Finding(("style", key), "has no effect on virtual renders", fatal=False)


def _records(recipe: Recipe) -> Iterator[Finding]:
    asked = [name for name in recipe.output.minutiae if name in ("iso19794-2", "ansi378")]
    if asked and round(recipe.image.ppi / 2.54) < MIN_RESOLUTION:
        yield Finding(("image", "ppi"), f"{recipe.image.ppi} is too little for {asked[0]} records: at least 252")
