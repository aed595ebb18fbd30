"""In-context style: the words that example images share, said in place of those that the recipe leaves unsaid.

Each image is read; a slot whose word the images agree on is given that word, any other is left open. (ThinkDiff, Mi et
al. 2025, has images speak to a diffusion model through the space of its prompts, learnt by having a language model name
what they share. With a closed vocabulary the words themselves do that, and can be read.)
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fpsynth.conditioning.style import load_style
from fpsynth.reader.reader import Reader, load_reader
from fpsynth.recipe import LoadedRecipe, Recipe
from fpsynth.recipe.listed import images
from fpsynth.slots import SLOTS

AGREED = 0.6
"""Mean probability of a word over the images from which on they agree on it."""


def in_context(loaded: LoadedRecipe, reader: Reader | None = None) -> tuple[LoadedRecipe, str]:
    """The recipe with the words that its example images share, and in words what was read off them."""
    paths = images(loaded.recipe.style.context, loaded.folder)
    shared = shared_words(paths, reader or load_reader(), loaded.recipe.image.ppi)
    said = {slot: word for slot, word in shared.items() if _unsaid(loaded.recipe, slot)}
    told = ", ".join(f"{slot} {word or 'open: they disagree'}" for slot, word in said.items())
    return replace(loaded, recipe=_saying(loaded.recipe, said)), f"style.context: {len(paths)} images read: {told}"


def shared_words(paths: tuple[Path, ...], reader: Reader, ppi: float) -> dict[str, str | None]:
    """Slot -> the word on which the images agree, or None, of every slot that the reader knows."""
    reading = reader.read([load_style(path).numpy() for path in paths], ppi)
    means = {slot: shares.mean(0) for slot, shares in reading.shares.items()}
    return {slot: _agreed(mean, reader.words[slot]) for slot, mean in means.items()}


def _agreed(mean: np.ndarray, words: tuple[str, ...]) -> str | None:
    best = int(mean.argmax())
    return words[best] if mean[best] >= AGREED else None


def _unsaid(recipe: Recipe, slot: str) -> bool:
    """Whether the slot is the prompt's and the author of the recipe did not say anything of it."""
    return SLOTS[slot].part == "prompt" and slot not in recipe.prompt.model_fields_set


def _saying(recipe: Recipe, said: Mapping[str, str | None]) -> Recipe:
    """With these words, and without the images. A virtual render keeps its sensor where the images disagree."""
    kept = {slot: word for slot, word in said.items() if word or slot != "sensor" or not recipe.sampling.virtual}
    shares: dict[str, Any] = {slot: None if word is None else {word: 1.0} for slot, word in kept.items()}
    prompt = recipe.prompt.model_copy(update=shares)
    return recipe.model_copy(update={"prompt": prompt, "style": recipe.style.model_copy(update={"context": ()})})
