"""Where pictures are drawn: the model, loaded once, and what all pictures of an order have in common."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fpsynth import __version__
from fpsynth.device import choose_device
from fpsynth.diffusion.bundle import check_bundle, digest
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.sample import Sampled, sample
from fpsynth.edit.ledger import Ledger, point
from fpsynth.extractor.network import extractor_digest
from fpsynth.extractor.picture import MASTER_PPI, Picture, padded, read_picture
from fpsynth.making.edits import Draft
from fpsynth.making.model import request, sampling_settings
from fpsynth.making.scene import Scene
from fpsynth.making.styles import load_styles
from fpsynth.reader.bundled import bundled_reader_digest
from fpsynth.recipe import LoadedRecipe
from fpsynth.recipe.plan import plan_identity, plan_row


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the command line asks for. images: files, or folders of them; recipe None: that of the program; ppi: of
    pictures that do not say theirs."""

    verb: str
    images: tuple[Path, ...]
    out: Path
    recipe: Path | None = None
    overrides: tuple[str, ...] = ()
    strength: float = 0.3
    ppi: float = 500
    device: str = "auto"


@dataclass(frozen=True)
class Task:
    """One picture, and the scene that it was sketched to."""

    picture: Picture
    scene: Scene


class Studio:
    """Sketches and draws the pictures of one order."""

    def __init__(self, order: Order, loaded: LoadedRecipe) -> None:
        """Raises UserError for a model that cannot be used."""
        assert loaded.model is not None
        check_bundle(loaded.model)
        device = choose_device(order.device)
        self.order, self.recipe, self.batch = order, loaded.recipe, 16 if device == "cuda" else 4
        self.made_by = digest(loaded.model)
        self.model = load_model(loaded.model, device, loaded.recipe.sampling.student_name)
        self.styles = load_styles(loaded)
        self.draft = Draft(self.recipe, order.verb, order.strength, self.model.denoiser.planes, self.styles)
        told = [order.verb, order.strength, order.ppi, loaded.recipe.model_dump(mode="json"), loaded.digest]
        means = [__version__, self.made_by, extractor_digest(), bundled_reader_digest()]
        self.ledger = Ledger(order.out, order.verb, json.dumps([*told, *means]), device)

    def task(self, path: Path) -> Task:
        """Raises UserError for a picture that cannot be edited."""
        picture = padded(read_picture(path, self.order.ppi), self.model.multiple)
        row = plan_row(self.recipe, plan_identity(self.recipe, number_of(path)), 0, len(self.styles.images))
        return Task(picture, self.draft.scene(row, picture))

    def draw(self, tasks: Sequence[Task]) -> None:
        """Draw and write pictures of one size, as one batch."""
        requests = [request(self.model, task.scene) for task in tasks]
        drawn = sample(self.model, sampling_settings(self.recipe), requests)
        for task, made in zip(tasks, drawn, strict=True):
            self._write(task.scene, made)

    def _write(self, scene: Scene, made: Sampled) -> None:
        """The picture in its own size, and the record; pixels that stay are those of the original."""
        assert scene.begin is not None
        picture, sketch, told = scene.begin.picture, scene.begin.sketch, scene.conditioning
        scale = picture.ppi / MASTER_PPI
        facts = {
            "strength": sketch.strength,
            "prompt": told.prompt,
            "style": [style.name for style in told.styles],
            "background": [style.name for style in told.background],
            "ppi": picture.ppi,
            "model": self.made_by,
            "minutiae": [point(m, scale, "imagined" if m in sketch.imagined else "extracted") for m in told.minutiae],
        }
        self.ledger.write(picture.path, picture.ppi, picture.back(made.image, sketch.kept), facts)


def number_of(path: Path) -> int:
    """What draws for a picture depend on: its name."""
    return int(hashlib.sha256(os.fsencode(path.name)).hexdigest()[:6], 16)
