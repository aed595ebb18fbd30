"""A slot is added by one entry of the table and one key of the schema; everything else follows from these."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from fpsynth.conditioning.prompt import known_words, prompt_text
from fpsynth.console import Console
from fpsynth.errors import UserError
from fpsynth.flow import Order, generate
from fpsynth.inspect.measure.dataset import Depth, measure_dataset
from fpsynth.inspect.measure.shares import WordShare
from fpsynth.making.plan_table import plan_table
from fpsynth.recipe import load_recipe, make_plan
from fpsynth.recipe.schema import PromptPart, Recipe
from fpsynth.recipe.summary import summary
from fpsynth.recipe.types import OneOf, Shares
from fpsynth.slots import SLOTS, Slot

RECIPE = """\
name: ages
seed: 3
identities: 3
impressions: 2
image: {width: 128, height: 128}
prompt: {age: {child: 0.5, adult: 0.5}}
sampling: {model: virtual}
gate: off
"""
AGE = Slot(words=("child", "adult"), part="prompt", phrase="{} finger", draw=8)


class AgedPrompt(PromptPart):
    """A prompt that also says how old the finger is."""

    age: Shares[Annotated[str, OneOf("age")]] | None = Field(default=None, description="age of the finger")


class AgedRecipe(Recipe):
    """A recipe with such a prompt."""

    prompt: AgedPrompt = AgedPrompt()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(SLOTS, "age", AGE)
    monkeypatch.setattr("fpsynth.recipe.load.Recipe", AgedRecipe)
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def said(path: Path) -> dict[tuple[int, int], str | None]:
    """The new word of every row of the plan."""
    plan = make_plan(load_recipe(path).recipe)
    return {(row.identity, row.impression): row.words["age"] for shard in plan.shards for row in plan.rows(shard)}


def test_prompts_say_it(recipe):
    assert prompt_text({"skin": "dry", "age": "child"}) == "a fingerprint, dry skin, child finger"
    assert prompt_text({"age": "adult"}, "one {age} print") == "one adult print"
    assert {"finger", "child", "adult"} < set(known_words())


def test_the_other_words_stay_as_they_are(recipe, monkeypatch):
    plan = make_plan(load_recipe(recipe).recipe)
    aged = [row for shard in plan.shards for row in plan.rows(shard)]
    monkeypatch.delitem(SLOTS, "age")
    plain = [row for shard in plan.shards for row in plan.rows(shard)]
    assert [{**row.words, "age": aged[i].words["age"]} for i, row in enumerate(plain)] == [row.words for row in aged]


def test_recipes_check_it(recipe):
    with pytest.raises(UserError, match=r"prompt\.age: unknown word 'chld' \(did you mean child\?\)"):
        load_recipe(recipe, ["prompt.age=chld"])
    with pytest.raises(UserError, match=r"asks for \{age\}, but prompt\.age is null"):
        load_recipe(recipe, ["prompt.age=null", "prompt.text=one {age} print"])


def test_rules_set_it_and_ask_for_it(recipe):
    rules = "[{when: {skin: normal}, then: {age: child}}, {when: {age: child}, then: {quality: fair}}]"
    plan = make_plan(load_recipe(recipe, [f"rules={rules}"]).recipe)
    found = {(row.words["age"], row.words["quality"]) for shard in plan.shards for row in plan.rows(shard)}
    assert found == {("child", "fair")}


def test_plans_count_it(recipe):
    facts = summary(make_plan(load_recipe(recipe).recipe))
    words = list(said(recipe).values())
    assert facts["images_by"]["age"] == {word: words.count(word) for word in ("child", "adult")}
    assert "age" in dict(plan_table(facts).rows)


def test_datasets_hold_it(recipe, tmp_path):
    import datasets

    root = tmp_path / "out"
    generate(Order(recipe=recipe, overrides=(), out=root), Console("quiet"))
    datasets.disable_progress_bars()
    data = datasets.load_dataset(str(root), split="train", cache_dir=str(tmp_path / "cache"))
    label = data.features["age"]
    assert isinstance(label, datasets.ClassLabel) and tuple(label.names) == AGE.words
    assert {(row["identity"], row["impression"]): label.int2str(row["age"]) for row in data} == said(recipe)
    assert all(row["prompt"].endswith(f", {label.int2str(row['age'])} finger") for row in data)
    children = sum(word == "child" for word in said(recipe).values())
    card = (root / "README.md").read_text()
    assert f"- age: adult {1 - children / 6:.1%}, child {children / 6:.1%}" in card
    told = measure_dataset(root, Depth(judges=False, workers=1, cache=False)).figures.shares["age"].words
    assert told["child"] == WordShare(children, round(children / 6, 4), 0.5)
