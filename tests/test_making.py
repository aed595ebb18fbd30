"""The gate's loop: only what failed is drawn again, the best try stays, and the row says all of it."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from fpsynth.conditioning.conditions import Conditioning, Style
from fpsynth.dataset import Renderer
from fpsynth.device import choose_device
from fpsynth.errors import UserError
from fpsynth.gate import Limits, Verdict
from fpsynth.making.job import notes
from fpsynth.making.model import request
from fpsynth.making.renderer import Drawn
from fpsynth.making.rows import render_batch
from fpsynth.making.scene import Scene, Scenes, batches
from fpsynth.making.virtual import VirtualRenderer
from fpsynth.recipe import Recipe, load_recipe, make_plan
from fpsynth.sensor import render

RECIPE = Recipe.model_validate({"identities": 3, "impressions": 1, "gate": {"retries": 2, "recall": 0.85}})


@dataclass
class Marked:
    """A renderer whose images say which row and try they are of, in their first two pixels."""

    asked: list
    label = Renderer("virtual")

    def draw(self, scenes, attempt):
        self.asked.append(([scene.row.identity for scene in scenes], attempt))
        return [Drawn(np.array([[s.row.identity, attempt]], np.uint8), 100 * s.row.identity + attempt) for s in scenes]


def scenes() -> list[Scene]:
    plan = make_plan(RECIPE)
    truth = SimpleNamespace(minutiae=(), singular=(), parameters={}, contact=torch.ones(1, 2))
    told = Conditioning(planes={}, prompt="told", styles=(Style("look.png", torch.zeros(2, 2)),))
    return [Scene(row, truth, told) for shard in plan.shards for row in plan.rows(shard)]


def judge_with(monkeypatch, recalls: dict) -> None:
    def judge(image, truth, contact, ppi, asked):
        found = recalls[int(image[0, 0])][int(image[0, 1])]
        return Verdict(
            "passed" if found >= asked.recall else "failed", found, 0.0, "mindtct", Limits(asked.recall, 0.15)
        )

    monkeypatch.setattr("fpsynth.gate.judge", judge)


def test_only_failing_images_are_drawn_again_and_the_best_stays(monkeypatch):
    judge_with(monkeypatch, {0: [0.9], 1: [0.5, 0.95], 2: [0.3, 0.6, 0.4]})
    renderer = Marked([])
    rows = render_batch(scenes(), renderer, RECIPE)
    assert renderer.asked == [([0, 1, 2], 0), ([1, 2], 1), ([2], 2)]
    assert [row.gate.verdict for row in rows] == ["passed", "passed", "failed"]
    assert [row.gate.recall for row in rows] == [0.9, 0.95, 0.6]
    assert [row.gate.tries for row in rows] == [1, 2, 3]
    assert {row.gate.limits for row in rows} == {Limits(0.85, 0.15)}
    assert [row.seed for row in rows] == [0, 101, 201]
    assert [int(row.image[0, 1]) for row in rows] == [0, 1, 1]
    assert {(row.prompt, row.style) for row in rows} == {("told", "look.png")}


def test_without_a_gate_nothing_is_judged(monkeypatch):
    judge_with(monkeypatch, {})
    renderer = Marked([])
    rows = render_batch(scenes(), renderer, Recipe.model_validate({"identities": 3, "impressions": 1, "gate": "off"}))
    assert renderer.asked == [([0, 1, 2], 0)]
    assert {row.gate.verdict for row in rows} == {"unjudged"}


PRINTS = {
    "identities": 1,
    "impressions": 1,
    "image": {"width": 128, "height": 128},
    "sampling": {"model": "virtual"},
}


def devices(sensor: str, surface: str, monkeypatch) -> tuple[list, np.ndarray]:
    """The devices that a virtual render of one row uses, and its image."""
    used = []

    def noted(impression, device, rng):
        used.append(device)
        return render(impression, device, rng)

    monkeypatch.setattr("fpsynth.making.virtual.render", noted)
    recipe = Recipe.model_validate({**PRINTS, "prompt": {"sensor": sensor, "surface": surface}})
    plan = make_plan(recipe)
    (row,) = plan.rows(plan.shards[0])
    scenes = Scenes(recipe)
    impression = scenes.take(scenes.grow(row.who), row)
    (drawn,) = VirtualRenderer(recipe).draw([Scene(row, impression, scenes.tell(row, impression))], 0)
    return used, drawn.image


@pytest.mark.parametrize("surface", ["metal", "paper"])
def test_virtual_prints_lie_on_the_surface_that_the_row_says(surface, monkeypatch):
    (device,), _ = devices("latent", surface, monkeypatch)
    assert device.surface == surface


@pytest.mark.parametrize("sensor", ["optical", "ink"])
def test_a_surface_that_a_sensor_cannot_have_changes_no_pixel(sensor, monkeypatch):
    (device,), image = devices(sensor, "metal", monkeypatch)
    assert device.surface == ("card" if sensor == "ink" else None)
    assert np.array_equal(image, devices(sensor, "card", monkeypatch)[1])


def test_batches_cover_everything_in_order():
    assert list(batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]


def test_devices():
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="one of cpu, cuda, auto"):
        choose_device("tpu")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("prompt: {sensor: null}", True),
        ("prompt: {sensor: null, text: an old print}", False),
        ("prompt: {sensor: null}\nstyle: {images: look.png}", False),
        ("prompt: {sensor: ink}", False),
    ],
)
def test_a_sensor_that_nothing_says_is_a_note(tmp_path, words, told):
    Image.new("L", (8, 8)).save(tmp_path / "look.png")
    path = tmp_path / "recipe.yaml"
    path.write_text(f"identities: 2\nimpressions: 2\n{words}\ngate: off\n")
    assert any("patches prints" in note for note in notes(load_recipe(path))) == told


@pytest.mark.parametrize(("sensor", "even"), [("optical", True), (None, False)])
def test_noise_is_evened_where_words_say_the_sensor(sensor, even):
    """Else the noise chooses it, and what chooses it must not be the same all over."""
    recipe = Recipe.model_validate({"identities": 1, "impressions": 1, "prompt": {"sensor": sensor and {sensor: 1.0}}})
    plan = make_plan(recipe)
    (row,) = plan.rows(plan.shards[0])
    assert request(None, Scenes(recipe).scene(row)).even == even
