"""Scenes of prints that exist: each is sketched by a verb, and drawn anew from there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from fpsynth.diffusion.canvas import Canvas
from fpsynth.diffusion.codec import Codec
from fpsynth.extractor.picture import MASTER_PPI, Picture, picture_of, read_picture
from fpsynth.making.scene import Scene, Scenes
from fpsynth.making.styles import Styles
from fpsynth.making.verbs import VERBS, Begin
from fpsynth.reader.reader import load_reader
from fpsynth.recipe import Recipe, RowPlan
from fpsynth.rng import Stream, generator
from fpsynth.slots import SLOTS
from fpsynth.vocabulary import RESTYLE


class Draft:
    """Makes scenes of pictures by one verb. planes, styles: as Scenes has them."""

    def __init__(self, recipe: Recipe, verb: str, strength: float, planes: tuple[str, ...], styles: Styles) -> None:
        self.recipe, self._verb, self._strength = recipe, verb, strength
        self._scenes = Scenes(recipe, planes, styles)
        self._reader = None if verb == RESTYLE or styles.images else load_reader()

    def scene(self, row: RowPlan, picture: Picture) -> Scene:
        """Raises UserError for a picture of which nothing can be made."""
        rng = generator(self.recipe.seed, Stream.CAPTURE, row.identity)
        sketch = VERBS[self._verb](picture, self._strength, rng)
        said = replace(row, words=self._words(row, picture))
        told = self._scenes.tell(said, sketch.impression)
        return Scene(said, sketch.impression, told, picture.path.name, Begin(picture, sketch))

    def _words(self, row: RowPlan, picture: Picture) -> Mapping[str, str | None]:
        """Words but for the class, which nobody has looked at, and, unless the recipe says it, for the acquisition."""
        known = self.recipe.finger.source is not None or "acquisition" in self.recipe.capture.model_fields_set
        unsaid = {"pattern"} if known else {"pattern", "acquisition"}
        said = {slot: None if slot in unsaid else word for slot, word in row.words.items()}
        return said | {slot: word for slot, word in self._read(picture).items() if said[slot] is None}

    def _read(self, picture: Picture) -> Mapping[str, str]:
        """How the print looks, in words of a recipe's `prompt`; nothing where it is to look otherwise."""
        if self._reader is None:
            return {}
        reading = self._reader.read([picture.image])
        return {slot: reading.said(slot)[0] for slot in reading.words if SLOTS[slot].part == "prompt"}


class EditScenes:
    """The scenes of a recipe whose images are prints that exist (`finger.source.images`), an identity a file."""

    def __init__(self, recipe: Recipe, planes: tuple[str, ...], styles: Styles, sources: Sequence[Path]) -> None:
        source = recipe.finger.source
        assert source is not None, "there are files"
        self._draft = Draft(recipe, source.verb, source.strength, planes, styles)
        size, ppi = (recipe.image.height, recipe.image.width), source.ppi
        self._picture = lru_cache(1)(lambda identity: _placed(sources[identity], ppi, size))

    def scene(self, row: RowPlan) -> Scene:
        """Raises UserError for a picture of which nothing can be made."""
        return self._draft.scene(row, self._picture(row.identity))


def _placed(path: Path, ppi: float, size: tuple[int, int]) -> Picture:
    """The picture in the middle of one of this size (height, width) at 500 ppi, on the grey that its own ground has."""
    picture = read_picture(path, ppi)
    image, off = picture.image, ~picture.seen.mask
    ground = int(np.median(image[off])) if off.any() else int(image.max())
    for axis, side in enumerate(size):
        more = side - image.shape[axis]
        before = abs(more) // 2
        if more < 0:
            image = image.take(range(before, before + side), axis)
        else:
            around = [(before, more - before) if a == axis else (0, 0) for a in (0, 1)]
            image = np.pad(image, around, constant_values=ground)
    return picture_of(image, MASTER_PPI, path)


def scenes_of(
    recipe: Recipe,
    planes: tuple[str, ...],
    styles: Styles,
    attempts: Mapping[int, int],
    sources: Sequence[Path],
) -> Scenes | EditScenes:
    """What makes the scenes of a recipe; see Scenes."""
    source = recipe.finger.source
    if source is not None and source.drawn:
        return EditScenes(recipe, planes, styles, sources)
    return Scenes(recipe, planes, styles, attempts, sources)


def canvas_of(codec: Codec, begin: Begin) -> Canvas | None:
    """The picture to begin from, and the cells that stay: those of which all pixels do. None: from noise."""
    image, sketch = begin.picture.image, begin.sketch
    if sketch.strength == 1 and sketch.kept is None:
        return None
    signed = torch.from_numpy(image).float()[None, None] / 127.5 - 1
    latents = codec.encode(signed)[0].float().cpu()
    keep = torch.zeros(latents.shape[1:])
    if sketch.kept is not None:
        whole = torch.from_numpy(sketch.kept).float()[None, None]
        keep = -torch.nn.functional.max_pool2d(-whole, codec.factor)[0, 0]
    return Canvas(latents, keep, sketch.strength)
