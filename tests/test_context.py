"""style.context: the words that example images share are said, those on which they disagree are left open."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from fpsynth.console import Console
from fpsynth.errors import UserError
from fpsynth.flow import Order, show_plan
from fpsynth.making import context
from fpsynth.making.context import in_context
from fpsynth.reader.reader import Reading
from fpsynth.recipe import load_recipe, recipe_yaml

WORDS = {"sensor": ("optical", "thermal"), "skin": ("normal", "dry", "wet"), "acquisition": ("plain", "rolled")}


class GreyReader:
    """Says that dark images are thermal and light ones optical, that all are dry, and nothing sure of the rest."""

    words = WORDS

    def read(self, images, ppi):
        light = np.array([image.mean() > 128 for image in images])
        sensor = np.stack([np.where(light, 0.9, 0.2), np.where(light, 0.1, 0.8)], 1)
        skin = np.tile([0.1, 0.8, 0.1], (len(images), 1))
        return Reading({"sensor": sensor, "skin": skin, "acquisition": np.tile([0.0, 1.0], (len(images), 1))}, WORDS)


@dataclass(frozen=True)
class Listening(Console):
    mode: str = "quiet"
    said: list = field(default_factory=list)

    def note(self, text):
        self.said.append(text)


@pytest.fixture
def recipe(tmp_path):
    for name, grey in (("dark1", 30), ("dark2", 50), ("light", 220)):
        Image.fromarray(np.full((70, 64), grey, np.uint8)).save(tmp_path / f"{name}.png")

    def write(style, more=""):
        path = tmp_path / "recipe.yaml"
        path.write_text(f"identities: 2\nimpressions: 1\nstyle: {{context: {style}}}\n{more}")
        return path

    return write


def test_words_that_the_images_share_are_said(recipe):
    loaded, told = in_context(load_recipe(recipe("['dark*.png']")), GreyReader())
    assert loaded.recipe.prompt.sensor == {"thermal": 1.0}
    assert loaded.recipe.prompt.skin == {"dry": 1.0}
    assert loaded.recipe.prompt.quality == {"good": 1.0}  # the reader does not know this slot
    assert loaded.recipe.capture.acquisition == {"plain": 1.0}  # what a capture is decides the finger's part
    assert told == "style.context: 2 images read: sensor thermal, skin dry"


def test_where_they_disagree_the_slot_stays_open(recipe):
    loaded, told = in_context(load_recipe(recipe("['dark1.png', 'light.png']")), GreyReader())
    assert loaded.recipe.prompt.sensor is None
    assert "sensor open: they disagree" in told


def test_what_the_recipe_says_stands(recipe):
    loaded = in_context(load_recipe(recipe("dark1.png", "prompt: {sensor: ink}")), GreyReader())[0]
    assert loaded.recipe.prompt.sensor == {"ink": 1.0}
    assert loaded.recipe.prompt.skin == {"dry": 1.0}


def test_a_virtual_render_keeps_its_sensor_where_they_disagree(recipe):
    loaded = load_recipe(recipe("['dark1.png', 'light.png']", "sampling: {model: virtual}"))
    assert in_context(loaded, GreyReader())[0].recipe.prompt.sensor == {"optical": 1.0}


def test_the_recipe_that_is_kept_names_words_and_no_images(recipe, tmp_path):
    loaded = in_context(load_recipe(recipe("['dark*.png']")), GreyReader())[0]
    again = tmp_path / "again.yaml"
    again.write_text(recipe_yaml(loaded.recipe))
    assert "dark1" not in again.read_text()
    assert load_recipe(again).recipe == loaded.recipe


def test_the_plan_says_what_was_read(recipe, monkeypatch):
    monkeypatch.setattr(context, "load_reader", GreyReader)
    console = Listening()
    show_plan(Order(recipe=recipe("['dark*.png']")), console)
    assert console.said == ["style.context: 2 images read: sensor thermal, skin dry"]


def test_an_image_that_cannot_be_read_is_named(recipe, tmp_path):
    (tmp_path / "no.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"recipe.yaml:3:\d+: style.context\[1\]: .*no.png is not an image"):
        load_recipe(recipe("[dark1.png, no.png]"))


def test_a_rule_that_the_images_may_call_up_is_not_told_to_be_idle(recipe):
    rule = "rules: [{when: {skin: dry}, then: {quality: poor}}]"
    assert load_recipe(recipe("dark1.png", rule)).notices == ()
    assert "no effect" in load_recipe(recipe("[]", rule)).notices[0]
