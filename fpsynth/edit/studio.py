"""Where pictures are drawn: the model, loaded once, and what all pictures of an order have in common."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fpsynth import __version__
from fpsynth.conditioning.conditions import Conditioning
from fpsynth.conditioning.planes import control_planes
from fpsynth.conditioning.prompt import prompt_text
from fpsynth.device import choose_device
from fpsynth.diffusion.bundle import check_bundle, digest
from fpsynth.diffusion.canvas import Canvas
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.sample import Request, Sampled, sample
from fpsynth.edit.ledger import Ledger, point
from fpsynth.edit.verbs import VERBS, Sketch
from fpsynth.extractor.picture import MASTER_PPI, Picture, padded, read_picture
from fpsynth.making.model import sampling_settings
from fpsynth.making.styles import load_styles
from fpsynth.reader.reader import load_reader
from fpsynth.recipe import LoadedRecipe, RowPlan
from fpsynth.recipe.plan import plan_identity, plan_row
from fpsynth.rng import Stream, generator
from fpsynth.slots import SLOTS
from fpsynth.vocabulary import RESTYLE


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
    """One picture, sketched: its number, by its name alone, and the row that says its words and styles."""

    number: int
    row: RowPlan
    picture: Picture
    sketch: Sketch


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
        self.reader = None if order.verb == RESTYLE or self.styles.images else load_reader(device=device)
        how = [__version__, order.verb, order.strength, order.ppi, loaded.recipe.model_dump(mode="json"), loaded.digest]
        self.ledger = Ledger(order.out, order.verb, json.dumps([*how, self.made_by]))

    def task(self, path: Path) -> Task:
        """Raises UserError for a picture that cannot be edited."""
        number = number_of(path)
        picture = padded(read_picture(path, self.order.ppi), self.model.multiple)
        sketch = VERBS[self.order.verb](
            picture, self.order.strength, generator(self.recipe.seed, Stream.CAPTURE, number)
        )
        row = plan_row(self.recipe, plan_identity(self.recipe, number), 0, len(self.styles.images))
        return Task(number, row, picture, sketch)

    def draw(self, tasks: Sequence[Task]) -> None:
        """Draw and write pictures of one size, as one batch."""
        requests = [self._request(task) for task in tasks]
        drawn = sample(self.model, sampling_settings(self.recipe), requests)
        for task, request, made in zip(tasks, requests, drawn, strict=True):
            self._write(task, request.conditioning, made)

    def _request(self, task: Task) -> Request:
        impression = task.sketch.impression
        return Request(
            conditioning=self._told(task),
            flow=impression.flow,
            master=impression.master,
            identity=task.number,
            impression=0,
            canvas=self._canvas(task),
        )

    def _told(self, task: Task) -> Conditioning:
        """Words but for the class, which nobody has looked at, and, unless the recipe says it, for the acquisition."""
        known = "acquisition" in self.recipe.capture.model_fields_set
        unsaid = {"pattern"} if known else {"pattern", "acquisition"}
        said = {slot: None if slot in unsaid else word for slot, word in task.row.words.items()}
        words = said | {slot: word for slot, word in self._read(task.picture).items() if said[slot] is None}
        planes, impression = self.model.denoiser.planes, task.sketch.impression
        background = self.styles.behind(task.row, self.recipe.seed)
        return Conditioning(
            planes=dict(zip(planes, control_planes(impression, planes), strict=True)),
            prompt=prompt_text(words, self.recipe.prompt.text),
            styles=self.styles.of(task.row),
            minutiae=impression.minutiae,
            background=background,
            contact=impression.contact if background else None,
        )

    def _read(self, picture: Picture) -> Mapping[str, str]:
        """How the print looks, in words of a recipe's `prompt`; nothing where it is to look otherwise."""
        if self.reader is None:
            return {}
        reading = self.reader.read([picture.image])
        return {slot: reading.said(slot)[0] for slot in reading.words if SLOTS[slot].part == "prompt"}

    def _canvas(self, task: Task) -> Canvas | None:
        """The picture to begin from, and the cells that stay: those of which all pixels do."""
        sketch, codec = task.sketch, self.model.codec
        if sketch.strength == 1 and sketch.kept is None:
            return None
        signed = torch.from_numpy(task.picture.image).float()[None, None] / 127.5 - 1
        latents = codec.encode(signed)[0].float().cpu()
        keep = torch.zeros(latents.shape[1:])
        if sketch.kept is not None:
            whole = torch.from_numpy(sketch.kept).float()[None, None]
            keep = -torch.nn.functional.max_pool2d(-whole, codec.factor)[0, 0]
        return Canvas(latents, keep, sketch.strength)

    def _write(self, task: Task, told: Conditioning, made: Sampled) -> None:
        """The picture in its own size, and the record; pixels that stay are those of the original."""
        picture, sketch = task.picture, task.sketch
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
