"""The plan: who and what is drawn from the seed alone, shares are kept, and shards hold whole identities."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from fpsynth.recipe import Recipe, make_plan
from fpsynth.recipe.plan import plan_identity
from fpsynth.recipe.summary import summary
from fpsynth.slots import SLOTS
from fpsynth.vocabulary import NATURAL_SHARES

WORDS = {
    "capture": {"acquisition": {"plain": 0.8, "rolled": 0.2}},
    "prompt": {"sensor": {"optical": 0.5, "capacitive": 0.3, "ink": 0.2}, "quality": {"good": 0.6, "poor": 0.4}},
    "splits": {"train": 0.75, "test": 0.25},
}


def recipe(identities: int = 8, impressions: int = 4, shard: int = 16, **parts) -> Recipe:
    return Recipe.model_validate(
        {"seed": 7, "identities": identities, "impressions": impressions, "output": {"shard_images": shard}}
        | WORDS
        | parts
    )


def rows(plan) -> list:
    return [row for shard in plan.shards for row in plan.rows(shard)]


def by_number(plan) -> dict:
    return {(row.identity, row.impression): row for row in rows(plan)}


def test_every_impression_of_every_identity_is_there_once():
    plan = make_plan(recipe(23, 3))
    assert sorted(by_number(plan)) == [(i, k) for i in range(23) for k in range(3)]
    assert len(rows(plan)) == plan.images == 69


def test_the_same_recipe_gives_the_same_plan_and_another_seed_another():
    assert rows(make_plan(recipe())) == rows(make_plan(recipe()))
    assert by_number(make_plan(recipe())) != by_number(make_plan(recipe(seed=8)))


def test_more_identities_leave_the_first_ones_and_the_full_shards_unchanged():
    few, many = make_plan(recipe(40)), make_plan(recipe(400))
    assert by_number(few).items() <= by_number(many).items()
    full = [shard for shard in few.shards if shard.images == 16]
    assert len(full) >= 8
    later = {(shard.split, shard.identities) for shard in many.shards}
    assert all((shard.split, shard.identities) in later for shard in full)


def test_more_impressions_leave_the_first_ones_unchanged():
    assert by_number(make_plan(recipe(8, 4))).items() <= by_number(make_plan(recipe(8, 9))).items()


def test_style_images_do_not_change_what_is_drawn():
    plain, styled = make_plan(recipe()), make_plan(recipe(), styles=3)
    assert [replace(row, styles=()) for row in rows(styled)] == rows(plain)
    assert {row.styles for row in rows(styled)} == {(0,), (1,), (2,)}


def test_several_style_images_of_an_image_are_different_ones():
    """The first is the one that it would have alone."""
    one, three = (make_plan(recipe(style={"per_image": n}), styles=5) for n in (1, 3))
    for alone, several in zip(rows(one), rows(three), strict=True):
        assert len(set(several.styles)) == 3 and several.styles[:1] == alone.styles
    assert {number for row in rows(three) for number in row.styles} == set(range(5))


@pytest.mark.parametrize(("impressions", "shard"), [(4, 16), (4, 18), (5, 5), (1, 1), (3, 1000)])
def test_shards_hold_whole_identities(impressions, shard):
    plan = make_plan(recipe(50, impressions, shard))
    assert all(part.impressions == range(impressions) and part.images <= shard for part in plan.shards)
    assert [part.index for part in plan.shards] == list(range(len(plan.shards)))


def test_an_identity_larger_than_a_shard_is_cut():
    plan = make_plan(recipe(2, 10, 4, splits="train"))
    assert [(shard.identities, shard.impressions) for shard in plan.shards[:3]] == [
        ((0,), range(0, 4)),
        ((0,), range(4, 8)),
        ((0,), range(8, 10)),
    ]


@pytest.mark.parametrize("identities", [8, 20, 100, 1000])
def test_splits_and_classes_keep_to_their_shares_at_every_size(identities):
    plan = make_plan(recipe(identities, 1))
    who = [row.who for row in rows(plan)]
    assert Counter(w.split for w in who)["test"] == pytest.approx(identities / 4, abs=1.5)
    patterns = Counter(w.pattern for w in who)
    for pattern, share in NATURAL_SHARES.items():
        assert patterns[pattern] == pytest.approx(identities * share, abs=2.5)


def test_classes_are_as_frequent_in_each_split():
    who = [row.who for row in rows(make_plan(recipe(4000, 1)))]
    for split in ("train", "test"):
        inside = [w.pattern for w in who if w.split == split]
        for pattern, share in NATURAL_SHARES.items():
            assert inside.count(pattern) / len(inside) == pytest.approx(share, abs=0.02)


def test_words_keep_to_their_shares_and_are_independent():
    found = rows(make_plan(recipe(1000, 4)))
    joint = Counter(tuple(row.words[slot] for slot in ("acquisition", "sensor", "quality")) for row in found)
    for acquisition, a in WORDS["capture"]["acquisition"].items():
        for sensor, s in WORDS["prompt"]["sensor"].items():
            for quality, q in WORDS["prompt"]["quality"].items():
                assert joint[acquisition, sensor, quality] / len(found) == pytest.approx(a * s * q, abs=0.025)


@pytest.mark.parametrize(("identities", "impressions"), [(10, 4), (40, 1), (3, 2), (100, 4)])
def test_words_are_dealt_out(identities, impressions):
    """Of 10 x 4 images that ask for half optical ones, independent draws give 20 with a deviation of 3.2."""
    counts, images = [], identities * impressions
    for seed in range(60):
        found = [row.words["sensor"] for row in rows(make_plan(recipe(identities, impressions, seed=seed)))]
        counts.append(found.count("optical"))
    assert sum(counts) / 60 == pytest.approx(images / 2, abs=0.2 * images**0.5)
    assert max(abs(count - images / 2) for count in counts) <= 1.5 * images**0.5 / 2


def test_words_are_dealt_out_within_an_identity():
    for row_count in (4, 8):
        found = rows(make_plan(recipe(50, row_count, shard=8)))
        for identity in range(50):
            sensors = [row.words["sensor"] for row in found if row.identity == identity]
            assert sensors.count("optical") == row_count // 2
            assert abs(sensors.count("capacitive") - 0.3 * row_count) <= 1.2 * row_count / 4


SPOKEN = {
    "seed": 7,
    "capture": {"acquisition": {"plain": 0.5, "rolled": 0.3, "slap": 0.2}},
    "prompt": {
        "sensor": {"latent": 0.7, "optical": 0.3},
        "quality": {"excellent": 0.2, "good": 0.3, "fair": 0.3, "poor": 0.2},
        "skin": {"normal": 0.4, "dry": 0.3, "wet": 0.3},
        "pressure": {"light": 0.3, "normal": 0.3, "firm": 0.4},
        "surface": dict.fromkeys(("glass", "card", "plastic", "metal", "paper"), 0.2),
    },
}
DRAWN = [
    ("good", "rolled", "right_loop", "optical", "normal", "firm", None),
    ("poor", "plain", "right_loop", "latent", "wet", "light", "glass"),
    ("fair", "plain", "right_loop", "optical", "dry", "normal", None),
    ("fair", "plain", "tented_arch", "latent", "dry", "light", "card"),
    ("excellent", "rolled", "tented_arch", "optical", "wet", "normal", None),
    ("fair", "rolled", "tented_arch", "latent", "dry", "firm", "metal"),
]


def test_every_word_has_a_draw_of_its_own_that_never_changes(monkeypatch):
    asked = recipe(2, 3, splits="train", **SPOKEN)
    assert [tuple(row.words.values())[:7] for row in rows(make_plan(asked))] == DRAWN
    assert {row.words["material"] for row in rows(make_plan(asked))} == {None}, "open where a recipe does not say"
    monkeypatch.setitem(SLOTS, "acquisition", replace(SLOTS["acquisition"], draw=9))
    first = [slot for slot in SLOTS if slot not in ("acquisition", "material", "technique")]
    others = [tuple(row.words[slot] for slot in first) for row in rows(make_plan(asked))]
    assert others == [(quality, *rest) for quality, _, *rest in DRAWN]


def test_a_surface_is_said_of_latent_and_ink_prints_alone():
    sensors = dict.fromkeys(("optical", "latent", "ink"), 1 / 3)
    plan = make_plan(recipe(60, 4, prompt={"sensor": sensors, "surface": {"glass": 0.5, "card": 0.5}}))
    found = {(row.words["sensor"], row.words["surface"]) for row in rows(plan)}
    assert found == {("optical", None), ("latent", "glass"), ("latent", "card"), ("ink", "card"), ("ink", None)}


def test_left_out_slots_are_none():
    row = rows(make_plan(recipe(1, 1, prompt={"sensor": None, "quality": None, "skin": None})))[0]
    assert row.words == dict.fromkeys(SLOTS) | {"acquisition": "plain", "pattern": row.who.pattern}
    assert tuple(row.words) == tuple(SLOTS)


def test_ten_fingers_make_a_subject_and_stay_in_one_split():
    who = [row.who for row in rows(make_plan(recipe(200, 1, finger={"ten_fingers": True})))]
    for subject in range(20):
        hand = sorted((w for w in who if w.subject == subject), key=lambda w: w.identity)
        assert [w.finger for w in hand] == list(range(1, 11))
        assert len({w.split for w in hand}) == 1
    ulnar = Counter(w.pattern for w in who if w.finger in (3, 4, 5))
    assert ulnar["right_loop"] > 5 * ulnar["left_loop"]  # right hands: ulnar loops open to the right


def test_drawn_positions():
    position = {"right_index": 0.5, "left_thumb": 0.5}
    who = [row.who for row in rows(make_plan(recipe(100, 1, finger={"position": position})))]
    assert {w.finger for w in who} == {2, 6}
    assert sum(w.finger == 2 for w in who) == pytest.approx(50, abs=2)
    assert [w.subject for w in who] == [w.identity for w in who]


def test_the_draws_are_those_of_every_dataset_ever_made():
    first = by_number(make_plan(recipe()))
    assert [(first[i, 0].who.pattern, first[i, 0].who.split) for i in range(8)] == [
        ("right_loop", "train"),
        ("tented_arch", "train"),
        ("right_loop", "train"),
        ("left_loop", "train"),
        ("whorl", "test"),
        ("left_loop", "train"),
        ("whorl", "train"),
        ("right_loop", "train"),
    ]
    assert [(first[0, k].words["sensor"], first[0, k].words["acquisition"]) for k in range(4)] == [
        ("ink", "plain"),
        ("optical", "plain"),
        ("capacitive", "plain"),
        ("optical", "rolled"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told as by Linux")
def test_a_plan_of_a_hundred_million_identities_holds_no_list_of_them(tmp_path):
    """200 MB, in a process of its own (ru_maxrss would begin at the memory of the one that started it)."""
    code = (
        "import json, re\n"
        "from fpsynth.recipe import Recipe, make_plan\nfrom fpsynth.recipe.summary import summary\n"
        "recipe = Recipe.model_validate({'name': 'many', 'identities': 10**8, 'impressions': 4,"
        " 'splits': {'train': 0.8, 'test': 0.2}})\nplan = make_plan(recipe)\nfacts = summary(plan)\n"
        "last = plan.shards[-1]\n"
        "peak = int(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])\n"
        "print(json.dumps([facts, list(last.identities), peak / 1024]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    facts, last, megabytes = json.loads(done.stdout)
    assert facts["images"] == 4 * 10**8 == sum(split["images"] for split in facts["splits"].values())
    assert facts["splits"]["test"]["images"] == pytest.approx(0.8e8, rel=1e-4)
    assert last == sorted(last) and last[0] > 0.99e8 and last[-1] < 10**8
    assert megabytes < 200


def test_members_of_a_split_are_those_that_say_so_across_blocks(monkeypatch):
    monkeypatch.setattr("fpsynth.recipe.shards.BLOCK", 7)
    for ten in (False, True):
        made = recipe(100, 3, 8, finger={"ten_fingers": ten})
        plan = make_plan(made)
        seen = [(row.identity, row.who.split) for row in rows(plan) if row.impression == 0]
        assert sorted(who for who, _ in seen) == list(range(100))
        assert all(plan_identity(made, who).split == split for who, split in seen)
        assert plan.images == sum(shard.images for shard in plan.shards)
        assert plan.splits == Counter(shard.split for shard in plan.shards)


def test_the_summary_counts_the_rows():
    plan = make_plan(recipe(40), styles=2)
    facts = summary(plan)
    assert facts["images"] == 160 == sum(split["images"] for split in facts["splits"].values())
    assert facts["shards"] == len(plan.shards) == sum(split["shards"] for split in facts["splits"].values())
    assert facts["images_by"]["sensor"] == dict(Counter(row.words["sensor"] for row in rows(plan)))
    assert sum(facts["identities_by_pattern"].values()) == 40
