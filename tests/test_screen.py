"""finger.unique: fingers too near to earlier ones are refused, whoever works it out and however often."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpsynth.console import Console
from fpsynth.embedding.rates import CANONICAL, false_match_rate
from fpsynth.errors import UserError
from fpsynth.flow import Order, generate, preview, show_plan
from fpsynth.making import screen as module
from fpsynth.making.accepted import NOTHING, read_accepted
from fpsynth.making.scene import Scenes
from fpsynth.making.screen import ATTEMPTS, Draw, Screen, canonical_print, screen_identities, vector_of
from fpsynth.recipe import Recipe
from fpsynth.recipe.load import LoadedRecipe
from fpsynth.recipe.plan import plan_identity

RECIPE = Recipe(identities=8, impressions=1, seed=3)
PLANTED = {(3, 0): (1, 0), (5, 0): (1, 0), (5, 1): (3, 1)}
"""Draws, and the draws that they repeat."""
TEXT = """\
name: few
seed: 5
identities: 3
impressions: 1
image: {width: 128, height: 128}
sampling: {model: virtual}
gate: off
finger: {unique: 0.9}
"""


def fake(draw: Draw) -> np.ndarray:
    """A random direction of each draw, those that are planted as the draws they repeat."""
    node = PLANTED.get((draw.who.identity, draw.attempt), (draw.who.identity, draw.attempt))
    vector = np.random.default_rng(node).standard_normal(64).astype(np.float32)
    return vector / np.linalg.norm(vector)


def same(draw: Draw) -> np.ndarray:
    """One vector for everybody."""
    return np.array([1.0, 0.0], np.float32)


def screen(**options) -> Screen:
    return replace(Screen(seed=3, threshold=0.9, who=lambda i: plan_identity(RECIPE, i), vector=fake), **options)


class Counted:
    """A vector function that counts its calls."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, draw: Draw) -> np.ndarray:
        self.asked.append((draw.who.identity, draw.attempt))
        return fake(draw)


def test_planted_duplicates_are_refused():
    found = screen_identities(screen(), 8)
    assert dict(found.others) == {3: 1, 5: 2} and found.refused == 3
    likeness = found.vectors @ found.vectors.T - 2 * np.eye(8)
    assert likeness.max() < 0.9


def test_a_higher_threshold_than_any_likeness_refuses_nobody():
    assert not screen_identities(screen(threshold=1.1), 8).others


def test_later_draws_are_grown_of_refused_identities_alone():
    counted = Counted()
    screen_identities(screen(vector=counted), 8)
    assert sorted(counted.asked) == sorted([*((i, 0) for i in range(8)), (3, 1), (5, 1), (5, 2)])


def test_an_identity_without_a_finger_is_told(tmp_path):
    with pytest.raises(UserError, match=rf"none of {ATTEMPTS} fingers of identity 1 is below 0\.9"):
        screen_identities(screen(vector=same), 8)


def test_more_identities_keep_what_was_decided_and_take_it_from_the_cache(tmp_path):
    kept, counted = tmp_path / "kept", Counted()
    screen_identities(screen(cache=kept), 5)
    more = screen_identities(screen(vector=counted, cache=kept), 8)
    assert min(counted.asked) == (5, 0)
    whole = screen_identities(screen(), 8)
    assert np.array_equal(more.attempts, whole.attempts) and np.array_equal(more.vectors, whole.vectors)
    again = Counted()
    assert np.array_equal(screen_identities(screen(vector=again, cache=kept), 6).attempts, whole.attempts[:6])
    assert not again.asked


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"", lambda b: b[:200] + b"x" + b[201:]])
def test_a_damaged_cache_is_made_again(tmp_path, damage):
    kept = tmp_path / "kept"
    whole = screen_identities(screen(cache=kept), 8)
    content = kept.read_bytes()
    kept.write_bytes(damage(content))
    assert read_accepted(kept) is NOTHING
    assert np.array_equal(screen_identities(screen(cache=kept), 8).attempts, whole.attempts)
    assert kept.read_bytes() == content


def test_waves_and_workers_change_nothing(monkeypatch):
    whole = screen_identities(screen(), 8)
    monkeypatch.setattr(module, "WAVE", 3)
    monkeypatch.setattr(module, "SMALL", 2)
    for workers in (1, 2):
        found = screen_identities(screen(workers=workers), 8)
        assert np.array_equal(found.attempts, whole.attempts) and np.array_equal(found.vectors, whole.vectors)


def test_real_vectors_are_the_same_in_every_process(monkeypatch):
    monkeypatch.setattr(module, "SMALL", 0)
    here = screen_identities(screen(vector=vector_of), 2)
    there = screen_identities(screen(vector=vector_of, workers=2), 2)
    assert np.array_equal(here.vectors, there.vectors)
    assert np.allclose(np.linalg.norm(here.vectors, axis=1), 1, atol=1e-5)


def test_the_first_draw_is_the_finger_without_a_screen_and_later_ones_are_others_of_its_class():
    who = plan_identity(RECIPE, 2)
    plain, other = Scenes(RECIPE).grow(who), Scenes(RECIPE, attempts={2: 1}).grow(who)
    first = Scenes(RECIPE, attempts={1: 4}).grow(who)
    assert np.array_equal(plain.ridges, first.ridges) and not np.array_equal(plain.ridges, other.ridges)
    assert (other.pattern, other.position) == (plain.pattern, plain.position)
    shown = canonical_print(plain)
    assert shown.shape == plain.ridges.shape and shown[0, 0] == 255
    x, y = (round(at) for at in plain.centre)
    crest = plain.ridges[y - 40 : y + 40, x - 40 : x + 40].numpy() > 0
    assert shown[y - 40 : y + 40, x - 40 : x + 40][crest].max() <= 128


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a recipe and a cache of its own; identity 2's first draw is one that repeats identity 0's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("fpsynth.making.screened.sample", lambda names: {})
    monkeypatch.setattr("fpsynth.making.screened.screen_of", lambda *args: replace(screen_of(*args), vector=fake))
    monkeypatch.setitem(PLANTED, (2, 0), (0, 0))
    (tmp_path / "recipe.yaml").write_text(TEXT)
    return tmp_path


screen_of = module.screen_of


def images(root: Path) -> dict[int, bytes]:
    import pyarrow.parquet as pq

    return {row["identity"]: row["image"]["bytes"] for row in pq.read_table(root / "data").to_pylist()}


def make(folder: Path, name: str, *overrides: str, **options) -> Path:
    generate(Order(recipe=folder / "recipe.yaml", out=folder / name, overrides=overrides, **options), Console("quiet"))
    return folder / name


def test_a_dataset_of_screened_fingers(folder):
    made, plain = make(folder, "made"), make(folder, "plain", "finger.unique=off")
    ours, theirs = images(made), images(plain)
    assert [ours[i] == theirs[i] for i in range(3)] == [True, True, False]
    card = (made / "README.md").read_text()
    assert "cosine of 0.9" in card and "false match rate" in card and "1 fingers were refused" in card
    assert "false match" not in (plain / "README.md").read_text()
    provenance = json.loads((made / "manifest.json").read_text())["provenance"]
    assert provenance["refused"] == 1
    assert "refused" not in json.loads((plain / "manifest.json").read_text())["provenance"]


def test_a_run_is_taken_up_with_the_cache_and_without(folder):
    made = make(folder, "made", "output.shard_images=1")
    before = {path.name: path.read_bytes() for path in (made / "data").iterdir()}
    for lost in (False, True):
        sorted((made / "data").iterdir())[-1].unlink()
        if lost:
            for kept in (folder / "cache").rglob("*.npz"):
                kept.unlink()
        make(folder, "made", "output.shard_images=1")
        assert {path.name: path.read_bytes() for path in (made / "data").iterdir()} == before


def test_other_fingers_are_not_mixed_in(folder, monkeypatch):
    made = make(folder, "made", "output.shard_images=1")
    sorted((made / "data").iterdir())[-1].unlink()
    for kept in (folder / "cache").rglob("*.npz"):
        kept.unlink()
    monkeypatch.delitem(PLANTED, (2, 0))
    with pytest.raises(UserError, match="another dataset"):
        make(folder, "made", "output.shard_images=1")


def test_the_preview_shows_the_same_fingers(folder, capsys):
    from PIL import Image

    sheets = {}
    for told in ("0.9", "off"):
        order = Order(recipe=folder / "recipe.yaml", overrides=(f"finger.unique={told}",), out=folder / f"{told}.png")
        preview(order, 3, Console("quiet"))
        sheets[told] = np.asarray(Image.open(folder / f"{told}.png"))
    rows = [not np.array_equal(a, b) for a, b in zip(*(np.array_split(s, 3) for s in sheets.values()), strict=True)]
    assert rows == [False, False, True]


def test_the_folder_of_another_dataset_is_refused_before_the_screen(folder, monkeypatch):
    make(folder, "made")
    monkeypatch.setattr("fpsynth.making.screened.screen_identities", lambda *_: pytest.fail("it was screened"))
    with pytest.raises(UserError, match="another dataset"):
        make(folder, "made", "seed=6")


def test_the_benchmark_measures_every_entry_of_the_table():
    from screen import THRESHOLDS

    assert {threshold for threshold, _ in CANONICAL} <= set(THRESHOLDS)


def test_rates_are_those_of_the_table_and_fall():
    rates = [false_match_rate(threshold) for threshold in np.linspace(0.01, 0.99, 99)]
    assert all(a >= b for a, b in itertools.pairwise(rates))
    assert all(false_match_rate(threshold) == pytest.approx(rate) for threshold, rate in CANONICAL)
    assert false_match_rate(0.95) == CANONICAL[-1][1] and false_match_rate(-0.1) == 1


@pytest.mark.parametrize("value", ["0", "1", "1.5", "near", "true"])
def test_a_threshold_that_is_none_is_one_line_with_its_place(folder, value):
    with pytest.raises(UserError, match=r"^--set finger\.unique=\S+ finger\.unique: must be[^\n]*$"):
        make(folder, "none", f"finger.unique={value}")
    assert not (folder / "none").exists()


def test_dry_run_says_so(folder, capsys):
    show_plan(Order(recipe=folder / "recipe.yaml"), Console())
    assert "will be screened: cosine below 0.9" in " ".join(capsys.readouterr().out.split())


def test_a_recipe_without_the_key_has_the_digest_that_it_had():
    assert "unique" not in RECIPE.model_dump_json()
    off = Recipe.model_validate({"identities": 8, "impressions": 1, "seed": 3, "finger": {"unique": "off"}})
    assert LoadedRecipe(off, Path()).digest == LoadedRecipe(RECIPE, Path()).digest
