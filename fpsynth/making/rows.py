"""From scenes to finished rows: draw, judge, draw again what failed, and say all of it in the row."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fpsynth import gate
from fpsynth.conditioning.conditions import Conditioning
from fpsynth.dataset import GateRecord, Renderer, Row
from fpsynth.making.renderer import Drawn, SceneRenderer
from fpsynth.making.scene import Scene
from fpsynth.recipe import Recipe


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
    asked = gate.Asked(scene.row.words, recipe.gate.recall, recipe.gate.spurious)
    verdict = gate.judge(image, truth.minutiae, truth.contact.cpu().numpy(), recipe.image.ppi, asked)
    return GateRecord(verdict.verdict, verdict.recall, verdict.spurious, tries, verdict.extractor, verdict.limits)


def better(old: tuple[Drawn, GateRecord] | None, new: tuple[Drawn, GateRecord]) -> tuple[Drawn, GateRecord]:
    """The try to keep: one that passed, else the one nearest to passing; tries counts all of them."""
    if old is None or new[1].verdict != "failed":
        return new
    best = max(old, new, key=lambda try_: (try_[1].recall or 0.0) - (try_[1].spurious or 0.0))
    return best[0], replace(best[1], tries=new[1].tries)


def styled(told: Conditioning) -> str | None:
    """The names of the style images, those of the background after a stroke."""
    print_, background = (", ".join(style.name for style in some) for some in (told.styles, told.background))
    return f"{print_} / {background}" if background else print_ or None


def finished(scene: Scene, drawn: Drawn, record: GateRecord, label: Renderer, recipe: Recipe) -> Row:
    """The row of an image: what it was made from, what is true of it, and what was said of it."""
    row, told, truth = scene.row, scene.conditioning, scene.impression
    return Row(
        image=drawn.image,
        identity=row.identity,
        impression=row.impression,
        subject=row.who.subject,
        finger=row.who.finger,
        words=row.words,
        prompt=told.prompt,
        style=styled(told),
        source=scene.source,
        seed=drawn.seed,
        ppi=recipe.image.ppi,
        minutiae=truth.minutiae,
        singular=truth.singular,
        parameters={**truth.parameters, **drawn.told},
        shared_noise=drawn.shared_noise,
        gate=record,
        renderer=label,
    )
