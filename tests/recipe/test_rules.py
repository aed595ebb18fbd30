"""Rules between slots: what they do to rows, to the shares that are asked for, and what cannot be followed."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path

import pytest
from PIL import Image

from fpsynth.errors import UserError
from fpsynth.inspect.measure.asked import asked_shares, recipe_of
from fpsynth.inspect.measure.shares import chi_square
from fpsynth.recipe import Recipe, load_recipe, make_plan, recipe_yaml
from fpsynth.recipe.classes import class_shares
from fpsynth.recipe.rules import joint, wanted
from fpsynth.recipe.summary import summary
from fpsynth.slots import SLOTS

MIXED = {
    "seed": 7,
    "identities": 2500,
    "impressions": 8,
    "capture": {"acquisition": {"plain": 0.6, "latent": 0.4}},
    "prompt": {
        "sensor": {"optical": 0.4, "thermal": 0.4, "ink": 0.2},
        "skin": {"normal": 0.5, "dry": 0.5},
        "surface": {"glass": 0.5, "card": 0.5},
    },
}
RULES = [
    {"when": {"sensor": ["thermal", "capacitive"], "skin": "dry"}, "then": {"pressure": {"light": 0.3, "normal": 0.7}}},
    {"when": {"acquisition": "latent"}, "then": {"sensor": "latent", "quality": {"poor": 0.6, "very poor": 0.4}}},
    {"when": {"surface": "glass"}, "then": {"quality": "fair"}},
    {"when": {"pattern": "whorl", "acquisition": "plain"}, "then": {"skin": None}},
]
"""Not in the order in which the slots are decided: the second decides the first's sensor."""


def made(rules: list[dict]) -> Recipe:
    return Recipe.model_validate({**MIXED, "rules": rules})


def rows(recipe: Recipe) -> list:
    plan = make_plan(recipe)
    return [row for shard in plan.shards for row in plan.rows(shard)]


@pytest.fixture(scope="module")
def ruled() -> list:
    return rows(made(RULES))


@pytest.fixture(scope="module")
def plain() -> list:
    return rows(made([]))


@pytest.fixture
def recipe(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """Writes recipe.yaml where the test runs: three lines, and these."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        Path("recipe.yaml").write_text(f"identities: 2\nimpressions: 2\nsampling: {{model: virtual}}\n{text}")
        return Path("recipe.yaml")

    return write


def within(found: list, slot: str, word: str | None, share: float) -> bool:
    """Whether a share is met within four standard deviations of a binomial."""
    count = sum(row.words[slot] == word for row in found)
    return abs(count - share * len(found)) <= 4 * sqrt(share * (1 - share) * len(found))


def test_rows_keep_to_the_shares_of_their_rule(ruled):
    latent = [row for row in ruled if row.words["acquisition"] == "latent"]
    assert len(ruled) == 20_000 and within(ruled, "acquisition", "latent", 0.4)
    assert {row.words["sensor"] for row in latent} == {"latent"}
    rough = [row for row in latent if row.words["surface"] != "glass"]
    assert within(rough, "quality", "poor", 0.6) and within(rough, "quality", "very poor", 0.4)
    hot = [row for row in ruled if (row.words["sensor"], row.words["skin"]) == ("thermal", "dry")]
    assert within(hot, "pressure", "light", 0.3) and within(hot, "pressure", "normal", 0.7)
    assert sum(row.words["pressure"] is not None for row in ruled) == len(hot)


def test_the_last_rule_wins_and_null_opens(ruled):
    glass = [row for row in ruled if row.words["surface"] == "glass"]
    assert {(row.words["acquisition"], row.words["quality"]) for row in glass} == {("latent", "fair")}
    opened = [row for row in ruled if row.words["skin"] is None]
    assert {(row.words["pattern"], row.words["acquisition"]) for row in opened} == {("whorl", "plain")}
    assert len(opened) == sum((row.who.pattern, row.words["acquisition"]) == ("whorl", "plain") for row in ruled)


def test_rows_that_no_rule_holds_for_are_as_without_rules(ruled, plain):
    for with_rules, without in zip(ruled, plain, strict=True):
        said = without.words
        meant = said["acquisition"] == "latent" or (said["sensor"], said["skin"]) == ("thermal", "dry")
        if not meant and said["pattern"] != "whorl":
            assert with_rules == without
        else:
            assert (with_rules.who, with_rules.styles) == (without.who, without.styles)
            assert with_rules.words["acquisition"] == said["acquisition"]


def test_a_rule_that_gives_the_same_shares_changes_nothing(plain):
    same = {"when": {"acquisition": "plain"}, "then": {"sensor": MIXED["prompt"]["sensor"]}}
    assert rows(made([same])) == plain


def test_the_expected_shares_are_those_of_the_rows(ruled):
    want = wanted(made(RULES), class_shares(0))
    for slots in [("quality",), ("sensor", "acquisition"), ("pressure", "skin", "surface")]:
        expected = joint(want, slots)
        found = Counter(tuple(row.words[slot] for slot in slots) for row in ruled)
        assert sum(expected.values()) == pytest.approx(1)
        for words in expected.keys() | found.keys():
            assert found[words] / 20_000 == pytest.approx(expected.get(words, 0), abs=0.014)


def test_joint_shares_by_hand():
    got = joint(wanted(made(RULES[1:3]), {"whorl": 1.0}), ("quality",))
    # latent: .4, half of them on glass; the others have no surface but ink's card
    assert got == pytest.approx({("good",): 0.6, ("poor",): 0.4 * 0.5 * 0.6, ("very poor",): 0.08, ("fair",): 0.2})


def test_the_summary_counts_what_rules_make(ruled):
    facts = summary(make_plan(made(RULES)))["images_by"]
    for slot in ("quality", "pressure", "sensor"):
        assert facts[slot] == Counter(row.words[slot] for row in ruled if row.words[slot] is not None)


class Seen:
    """What the shares of a dataset are asked of."""

    def __init__(self, row) -> None:
        self.identity, self.words = str(row.identity), {**row.words, "finger": "unknown"}


@pytest.mark.parametrize("identities", [40, 2500])
def test_inspect_asks_for_the_shares_that_come_of_the_rules(ruled, identities):
    """Also where the pattern decides and so few identities are there that their patterns are off the natural shares."""
    records = [Seen(row) for row in ruled[: identities * 8]]
    text = recipe_yaml(made(RULES))
    asked = asked_shares(recipe_of({"recipe": text}), records)
    assert set(asked) == set(SLOTS) - {"material", "technique"}, "those that the recipe leaves open"
    for slot, shares in asked.items():
        assert sum(shares.values()) == pytest.approx(1)
        if slot != "pattern":
            p = chi_square(Counter(record.words[slot] or "other" for record in records), shares)
            assert p is not None and p > 1e-3, slot
    without = asked_shares(recipe_of({"recipe": recipe_yaml(made([]))}), records)
    assert chi_square(Counter(record.words["sensor"] for record in records), without["sensor"]) == 0


def test_rules_that_cannot_be_read_ask_for_nothing():
    assert asked_shares({"prompt": {"skin": {"dry": 1.0}}, "rules": [{"when": 3}]}, []) == {}
    assert asked_shares({"prompt": {"skin": {"dry": 1.0}}, "rules": 5}, []) == {}


# As people write them

GOOD = """\
capture: {acquisition: {plain: 0.6, latent: 0.4}}
rules:
  - when: {acquisition: latent}
    then: {sensor: latent, quality: {poor: 0.6, very poor: 0.4}}
"""


def test_rules_survive_yaml(recipe):
    first = load_recipe(recipe(GOOD))
    assert first.notices == ()
    text = recipe_yaml(first.recipe)
    Path("again.yaml").write_text(text)
    again = load_recipe(Path("again.yaml"))
    assert (again.recipe, again.digest) == (first.recipe, first.digest)
    assert rows(again.recipe) == rows(first.recipe)


def test_recipes_without_rules_say_nothing_of_them(recipe):
    loaded = load_recipe(recipe(""))
    assert "rules" not in recipe_yaml(loaded.recipe) and "rules" not in loaded.recipe.model_dump_json()
    assert load_recipe(recipe("rules: []\n")).digest == loaded.digest
    assert load_recipe(recipe(GOOD)).digest != load_recipe(recipe(GOOD.split("rules")[0])).digest


REFUSED = [
    ("{when: {acquisiton: latent}, then: {skin: dry}}",
     "5:13: rules[0].when.acquisiton: unknown slot 'acquisiton' (did you mean acquisition?)"),
    ("{when: {skin: dry}, then: {qualty: poor}}",
     "5:32: rules[0].then.qualty: unknown slot 'qualty' (did you mean quality?)"),
    ("{when: {skin: dri}, then: {quality: poor}}", "5:19: rules[0].when.skin: unknown word 'dri' (did you mean dry?)"),
    ("{when: {skin: [dry, wett]}, then: {quality: poor}}",
     "5:25: rules[0].when.skin[1]: unknown word 'wett' (did you mean wet?)"),
    ("{when: {skin: dry}, then: {quality: {pour: 1, good: 0}}}",
     "5:42: rules[0].then.quality.pour: unknown word 'pour' (did you mean poor?)"),
    ("{when: {skin: dry}, then: {quality: pour}}",
     "5:41: rules[0].then.quality: unknown word 'pour' (did you mean poor?)"),
    ("{whn: {skin: dry}, then: {quality: poor}}",
     "5:5: rules[0].when: is missing and has no default\n5:6: rules[0].whn: unknown key (did you mean when?)"),
    ("{when: {}, then: {quality: poor}}", "5:12: rules[0].when: must not be empty"),
    ("{when: {skin: []}, then: {quality: poor}}", "5:19: rules[0].when.skin: must not be empty"),
    ("{when: {skin: dry}, then: {}}", "5:31: rules[0].then: must not be empty"),
    ("{when: {skin: 3}, then: {quality: poor}}", "5:19: rules[0].when.skin: must be a list, not 3"),
    ("dry", "5:5: rules[0]: must be a mapping of keys to values, not 'dry'"),
    ("{when: {skin: dry}, then: {quality: {poor: 0.6, fair: 0.3}}}",
     "5:41: rules[0].then.quality: the shares sum to 0.9, not to 1"),
    ("{when: {skin: dry}, then: {pattern: whorl}}",
     "5:41: rules[0].then.pattern: belongs to the identity: it may stand in `when`, not in `then`"),
    ("{when: {skin: dry}, then: {acquisition: null}}", "5:45: rules[0].then.acquisition: cannot be left open"),
    ("{when: {skin: dry}, then: {sensor: null}}", "5:40: rules[0].then.sensor: a virtual render needs a sensor"),
    ("{when: {quality: poor}, then: {quality: good}}",
     "5:45: rules[0].then.quality: slots decide each other: quality -> quality"),
    ("{when: {surface: glass}, then: {sensor: latent}}",
     "5:45: rules[0].then.sensor: slots decide each other: sensor -> surface -> sensor"),
    ("{when: {sensor: optical}, then: {surface: glass}}",
     "5:47: rules[0].then.surface: glass is said of latent prints alone, and the rule is for optical"),
    ("{when: {skin: dry}, then: {sensor: ink, surface: {card: 0.5, glass: 0.5}}}",
     "5:54: rules[0].then.surface: glass is said of latent prints alone, and the rule is for ink"),
    ("{when: {skin: dry}, then: {quality: poor}}\n  - {when: {quality: poor}, then: {skin: wet}}",
     "6:42: rules[1].then.skin: slots decide each other: quality -> skin -> quality"),
    ("{when: {skin: [dry, wet]}, then: {quality: poor}}\n  - {when: {skin: [wet, dry]}, then: {quality: fair}}",
     "6:48: rules[1].then.quality: contradicts another rule with the same `when`: rules[0].then.quality at "
     "recipe.yaml:5:48"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "told"), REFUSED)
def test_what_cannot_be_followed_is_one_line_with_its_place(recipe, rule, told):
    with pytest.raises(UserError) as caught:
        load_recipe(recipe(f"rules:\n  - {rule}\n"))
    assert sorted(str(caught.value).splitlines()) == [f"recipe.yaml:{line}" for line in told.splitlines()]


def test_rules_are_no_mapping(recipe):
    with pytest.raises(UserError, match=r"recipe\.yaml:4:8: rules: must be a list, not \{"):
        load_recipe(recipe("rules: {when: {skin: dry}, then: {quality: poor}}\n"))


NOTICES = [
    ("{when: {skin: wet}, then: {quality: poor}}",
     "5:19: rules[0].when.skin: wet never comes up: the rule has no effect"),
    ("{when: {sensor: [ink, thermal]}, then: {quality: poor}}",
     "5:21: rules[0].when.sensor: ink or thermal never comes up: the rule has no effect"),
    ("{when: {skin: normal}, then: {quality: poor}}\n  - {when: {sensor: optical}, then: {quality: fair}}",
     "5:44: rules[0].then.quality: later rules win wherever this one holds: it has no effect"),
    ("{when: {sensor: optical}, then: {skin: dry}}\n  - {when: {sensor: optical, skin: normal}, then: {quality: poor}}",
     "6:36: rules[1].when.skin: normal never comes up: the rule has no effect"),
    ("{when: {skin: normal}, then: {surface: glass}}",
     "5:44: rules[0].then.surface: glass is left out: only latent prints have it, and prompt.sensor asks for none"),
    ("{when: {skin: normal}, then: {acquisition: {latent: 0.25, plain: 0.75}}}",
     "4:1: capture.acquisition: 25 % of the images say acquisition latent with sensor optical: "
     "a print that is left behind meets no such device (sensor latent)"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "told"), NOTICES)
def test_what_has_no_effect_or_goes_ill_together_is_told_and_followed(recipe, rule, told):
    loaded = load_recipe(recipe(f"rules:\n  - {rule}\n"))
    place = "recipe.yaml" if told.startswith("4:1") else "recipe.yaml:" + told.split(": ")[0]
    assert loaded.notices == (f"{place}: {told.split(': ', 1)[1]}",)


def test_words_that_never_meet(recipe):
    rules = [
        "{when: {acquisition: latent}, then: {sensor: latent}}",
        "{when: {acquisition: plain, sensor: latent}, then: {quality: poor}}",
    ]
    listed = "".join(f"  - {rule}\n" for rule in rules)
    told = load_recipe(recipe(f"capture: {{acquisition: {{plain: 0.5, latent: 0.5}}}}\nrules:\n{listed}")).notices
    assert told == ("recipe.yaml:7:12: rules[1].when: never come up together: the rule has no effect",)


def test_a_clash_is_told_with_its_share_and_cured_by_a_rule(recipe):
    text = "capture: {acquisition: {plain: 0.6, latent: 0.4}}\nprompt: {sensor: {optical: 0.5, latent: 0.5}}\n"
    told = load_recipe(recipe(text)).notices
    assert [line.split(": ", 2)[1:] for line in told] == [
        ["prompt.sensor", "30 % of the images say sensor latent with acquisition plain: "
         "a latent print is left behind, not taken (acquisition latent)"],
        ["capture.acquisition", "20 % of the images say acquisition latent with sensor optical: "
         "a print that is left behind meets no such device (sensor latent)"],
    ]  # fmt: skip
    cure = "rules:\n  - {when: {sensor: latent}, then: {acquisition: latent}}\n"
    cure += "  - {when: {sensor: optical}, then: {acquisition: plain}}\n"
    assert load_recipe(recipe(text + cure)).notices == ()


def test_words_of_rules_are_asked_of_the_model(recipe, monkeypatch):
    known = replace_known("skin", ("normal", "dry"))
    monkeypatch.setattr("fpsynth.recipe.check.knows", known)
    rule = "rules:\n  - {when: {sensor: optical}, then: {skin: {dry: 0.5, wet: 0.5}}}\n"
    told = load_recipe(recipe(rule), ["sampling.model=default"]).notices
    assert told == ("recipe.yaml:5:44: rules[0].then.skin: the model never saw wet",)


def replace_known(slot: str, words: tuple[str, ...]) -> Callable[[Path], object]:
    """What a model knows that was never told of some words of a slot."""
    from fpsynth.model_folder import knows

    def told(folder: Path) -> object:
        true = knows(folder)
        return replace(true, slots={**true.slots, slot: words})

    return told


def test_text_may_ask_for_what_a_rule_fills(recipe):
    text = "prompt: {text: 'a {pressure} print'}\n"
    with pytest.raises(UserError, match=r"prompt\.pressure is null"):
        load_recipe(recipe(text), ["sampling.model=default"])
    rule = "rules:\n  - {when: {skin: normal}, then: {pressure: firm}}\n"
    assert load_recipe(recipe(text + rule), ["sampling.model=default"]).recipe.rules


def test_text_may_ask_for_what_example_images_may_say(recipe, tmp_path):
    Image.new("L", (32, 32)).save(tmp_path / "a.png")
    text = "prompt: {text: 'a {pressure} print'}\nstyle: {context: a.png}\n"
    assert load_recipe(recipe(text), ["sampling.model=default"]).recipe.prompt.pressure is None
    with pytest.raises(UserError, match=r"prompt\.pressure is null"):
        load_recipe(recipe(text), ["sampling.model=default", "prompt.pressure=null"])


@pytest.mark.parametrize("finger", ["layout: {cores: [], deltas: []}", "source: {prints: a.png}"])
def test_no_rule_may_ask_for_a_pattern_that_only_the_finger_shows(recipe, tmp_path, finger):
    Image.new("L", (32, 32)).save(tmp_path / "a.png")
    rule = "rules:\n  - {when: {pattern: whorl}, then: {quality: poor}}\n"
    with pytest.raises(UserError, match=r"rules\[0\]\.when\.pattern: .* no rule can ask for it"):
        load_recipe(recipe(f"finger: {{{finger}}}\n{rule}"))


def test_rules_are_set_as_an_option(recipe):
    option = "rules=[{when: {skin: normal}, then: {quality: pour}}]"
    with pytest.raises(UserError, match=r"^--set rules=\[.*\]: rules\[0\].then.quality: unknown word 'pour'"):
        load_recipe(recipe(""), [option])
    assert len(load_recipe(recipe(""), [option.replace("pour", "poor")]).recipe.rules) == 1
