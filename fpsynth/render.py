"""From scenes to finished rows: render, judge, draw again what failed, and say all of it in the row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

import numpy as np

from fpsynth import gate
from fpsynth.conditioning.prompt import prompt_text
from fpsynth.dataset import GateRecord, Renderer, Row
from fpsynth.errors import UserError
from fpsynth.recipe import LoadedRecipe, Recipe
from fpsynth.rng import Stream, generator, integer
from fpsynth.scene import Scene
from fpsynth.sensor import draw_device, render


@dataclass(frozen=True)
class Drawn:
    """One try at an image. image: (height, width) uint8; shared_noise: injections shared with the identity's others."""

    image: np.ndarray
    seed: int
    shared_noise: int = 0


class SceneRenderer(Protocol):
    """Makes images of scenes."""

    label: Renderer
    """How rows name it."""

    def draw(self, scenes: Sequence[Scene], attempt: int) -> list[Drawn]:
        """One image of each scene; another attempt gives other images of the same scenes."""


class VirtualRenderer:
    """Virtual sensors: every image by a device of its own, drawn from the seed tree."""

    def __init__(self, recipe: Recipe) -> None:
        self.label = Renderer("virtual")
        self.seed = recipe.seed

    def draw(self, scenes: Sequence[Scene], attempt: int) -> list[Drawn]:
        """The render of each scene by a device of the row's sensor."""
        return [self._draw(scene, attempt) for scene in scenes]

    def _draw(self, scene: Scene, attempt: int) -> Drawn:
        node = scene.row.identity, scene.row.impression, attempt
        device = draw_device(scene.row.sensor or "optical", generator(self.seed, Stream.DEVICE, *node))
        image = render(scene.impression, device, generator(self.seed, Stream.RENDER, *node))
        return Drawn(image.cpu().numpy(), integer(self.seed, Stream.RENDER, *node))


def open_renderer(loaded: LoadedRecipe, device: str) -> SceneRenderer:
    """The renderer that the recipe asks for, ready to draw."""
    return VirtualRenderer(loaded.recipe)


def render_batch(scenes: Sequence[Scene], renderer: SceneRenderer, recipe: Recipe) -> list[Row]:
    """The finished rows of a batch. Only images that fail the gate are drawn again; the best of the tries stays."""
    kept: dict[int, tuple[Drawn, GateRecord]] = {}
    waiting = list(range(len(scenes)))
    for attempt in range(1 + (recipe.gate.retries if recipe.gate else 0)):
        drawn = renderer.draw([scenes[i] for i in waiting], attempt)
        for i, image in zip(waiting, drawn, strict=True):
            record = judged(image.image, scenes[i], recipe, attempt + 1)
            kept[i] = better(kept.get(i), (image, record))
        waiting = [i for i in waiting if kept[i][1].verdict == "failed"]
        if not waiting:
            break
    return [finished(scene, *kept[i], renderer.label, recipe) for i, scene in enumerate(scenes)]


def judged(image: np.ndarray, scene: Scene, recipe: Recipe, tries: int) -> GateRecord:
    """What the gate says of an image; unjudged where there is no gate."""
    if recipe.gate is None:
        return GateRecord(tries=tries)
    truth = scene.impression
    limits = {"recall": recipe.gate.recall, "spurious": recipe.gate.spurious}
    verdict = gate.judge(image, truth.minutiae, truth.contact.cpu().numpy(), recipe.image.ppi, **limits)
    return GateRecord(verdict.verdict, verdict.recall, verdict.spurious, tries)


def better(old: tuple[Drawn, GateRecord] | None, new: tuple[Drawn, GateRecord]) -> tuple[Drawn, GateRecord]:
    """The try to keep: one that passed, else the one nearest to passing; tries counts all of them."""
    if old is None or new[1].verdict != "failed":
        return new
    best = max(old, new, key=lambda try_: (try_[1].recall or 0.0) - (try_[1].spurious or 0.0))
    return best[0], GateRecord(best[1].verdict, best[1].recall, best[1].spurious, new[1].tries)


def finished(scene: Scene, drawn: Drawn, record: GateRecord, label: Renderer, recipe: Recipe) -> Row:
    """The row of an image."""
    row, truth = scene.row, scene.impression
    return Row(
        image=drawn.image,
        identity=row.identity,
        impression=row.impression,
        subject=row.who.subject,
        finger=row.who.finger,
        pattern=row.who.pattern,
        acquisition=row.acquisition,
        sensor=row.sensor,
        quality=row.quality,
        skin=row.skin,
        prompt=prompt_text(row.words, recipe.prompt.text),
        style=None,
        seed=drawn.seed,
        ppi=recipe.image.ppi,
        minutiae=truth.minutiae,
        singular=truth.singular,
        parameters=truth.parameters,
        shared_noise=drawn.shared_noise,
        gate=record,
        renderer=label,
    )


def facts(loaded: LoadedRecipe, device: str) -> Mapping[str, str | None]:
    """What the bytes depend on besides the recipe: for the manifest, so that no run goes on with other means."""
    versions = {name: version(name) for name in ("torch", "numpy")}
    judge = "none" if loaded.recipe.gate is None or not gate.available() else "mindtct"
    return {"model": "virtual", "device": device, "gate": judge, **versions}


def choose_device(name: str) -> str:
    """cpu or cuda; auto is cuda where there is one. Raises UserError for what is not there."""
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"--device {name}: one of cpu, cuda, auto")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: no CUDA device can be used here")
    return "cpu" if name == "cpu" or not torch.cuda.is_available() else "cuda"
