"""Recipes as people write them: what is understood, and the one line that tells each mistake."""

import os
from pathlib import Path

import pytest
from PIL import Image

from fpsynth.errors import UserError
from fpsynth.recipe import load_recipe, recipe_yaml
from fpsynth.vocabulary import NATURAL_SHARES

RECIPES = Path(__file__).parents[2] / "recipes"
GOOD = """\
name: small
seed: 3
identities: 4
impressions: 2
image: {width: 128, height: 192}
prompt:
  sensor: {optical: 0.333, ink: 0.667}
  skin: dry
sampling:
  model: virtual
  steps: 6
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Writes recipe.yaml where the test runs and gives its (relative) path."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        Path("recipe.yaml").write_text(text)
        return Path("recipe.yaml")

    return write


def message(path, *overrides) -> str:
    with pytest.raises(UserError) as caught:
        load_recipe(path, overrides)
    return str(caught.value)


def test_values_constants_and_defaults(recipe):
    loaded = load_recipe(recipe(GOOD)).recipe
    assert (loaded.image.width, loaded.image.height, loaded.image.ppi) == (128, 192, 500)
    assert loaded.prompt.skin == {"dry": 1.0}
    assert loaded.prompt.quality == {"good": 1.0}
    assert sum(loaded.prompt.sensor.values()) == pytest.approx(1, abs=1e-12)
    assert loaded.sampling.shared_noise_steps == 3
    assert loaded.gate.retries == 3


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_recipes_that_people_copy_are_sound(path):
    assert load_recipe(path).notices == ()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("sampling: {stpes: 4}", "5:12: sampling.stpes: unknown key (did you mean steps?)"),
        ("smapling: {}", "5:1: smapling: unknown key (did you mean sampling?)"),
        ("gate: {recal: 1}", "5:8: gate.recal: unknown key (did you mean recall?)"),
        ("zzz: 1", "5:1: zzz: unknown key"),
        ("sampling: {steps: four}", "5:19: sampling.steps: must be a whole number, not 'four'"),
        ("sampling: {steps: 4.5}", "5:19: sampling.steps: must be a whole number, not 4.5"),
        ("sampling: {steps: true}", "5:19: sampling.steps: must be a whole number, not true"),
        ("finger: {ten_fingers: no}", "5:23: finger.ten_fingers: must be true or false, not 'no'"),
        ("image: 512", "5:8: image: must be a mapping of keys to values, not 512"),
        ("prompt: {skin: [dry]}", "5:16: prompt.skin: must be a word or {word: share}, not ['dry']"),
        ("prompt: {sensor: opticl}", "5:18: prompt.sensor: unknown word 'opticl' (did you mean optical?)"),
        (
            "prompt: {sensor: {inc: 1.0}}",
            "5:19: prompt.sensor.inc: unknown word 'inc' (did you mean ink?)",
        ),
        ("prompt: {skin: {dry: 0.5}}", "5:16: prompt.skin: the shares sum to 0.5, not to 1"),
        (
            "prompt: {skin: {dry: 1.5, wet: -0.5}}",
            "5:22: prompt.skin.dry: must be at most 1, not 1.5\n5:32: prompt.skin.wet: must be at least 0, not -0.5",
        ),
        ("image: {width: 500}", "5:16: image.width: must be a multiple of 64, not 500 (nearest: 448 or 512)"),
        ("sampling: {scheduler: tdc}", "5:23: sampling.scheduler: unknown word 'tdc' (did you mean tcd?)"),
        (
            "sampling: {steps: 4, shared_noise_steps: 5}",
            "5:42: sampling.shared_noise_steps: 5 is more than the 4 steps (sampling.steps)",
        ),
        ("style: {images: nope.png}", "5:17: style.images[0]: no file nope.png"),
        ("style: {images: [recipe.yaml]}", "5:18: style.images[0]: recipe.yaml is not an image that can be read"),
        ("style: {images: ['*.tif']}", "5:18: style.images[0]: no file matches *.tif"),
        ("style: {per_image: 2}", "5:20: style.per_image: 2 of each image, but style.images names 0"),
        ("style: {background: nope.png}", "5:21: style.background[0]: no file nope.png"),
        ("style: {context: nope.png}", "5:18: style.context[0]: no file nope.png"),
        (
            "sampling: {guide: {quality: 2}}",
            "5:19: sampling.guide: needs the model itself (sampling.student: none) and at least 10 "
            "steps (sampling.steps)",
        ),
        (
            "sampling: {student: none, steps: 9, guide: {quality: 2}}",
            "5:44: sampling.guide: needs the model itself (sampling.student: none) and at least 10 "
            "steps (sampling.steps)",
        ),
        (
            "sampling: {student: none, steps: 12, guide: {qualty: 2}}",
            "5:46: sampling.guide.qualty: unknown word 'qualty' (did you mean quality?)",
        ),
        (
            "sampling: {student: none, steps: 12, guide: {surface: 2}}",
            "5:55: sampling.guide.surface: prompt.surface is null: there is no word to guide towards",
        ),
        (
            "sampling: {student: none, steps: 12, guide: {skin: -1}}",
            "5:52: sampling.guide.skin: must be at least 0, not -1",
        ),
        (
            "sampling: {match: {print: nope.png}}",
            "5:19: sampling.match: needs the model itself (sampling.student: none) and at least 10 "
            "steps (sampling.steps)\n5:27: sampling.match.print: no file nope.png",
        ),
        (
            "sampling: {student: none, steps: 12, match: {print: nope.png}}",
            "5:53: sampling.match.print: no file nope.png",
        ),
        (
            "sampling: {student: none, steps: 12, match: {strength: 2}}",
            "5:45: sampling.match.print: is missing and has no default",
        ),
        ("sampling: {model: nowhere}", "5:19: sampling.model: no directory nowhere (or one of: default, virtual)"),
        (
            f"sampling: {{model: {'x' * 3000}}}",
            f"5:19: sampling.model: no directory {'x' * 3000} (or one of: default, virtual)",
        ),
        ("sampling: {model: .}", "5:19: sampling.model: . is not a model directory (no model_index.json)"),
        ("name: ../x", "5:7: name: must be letters, digits, '.', '_' and '-', and start with a letter or digit"),
        (
            "splits: {../x: 1.0}",
            "5:10: splits.../x: a split's name is letters, digits and '_', and not 'data' or 'minutiae'",
        ),
        ("prompt: {text: 'a {sensr} print'}", "5:16: prompt.text: unknown slot {sensr} (did you mean sensor?)"),
        (
            "prompt: {text: 'a {surface} print'}",
            "5:16: prompt.text: asks for {surface}, but prompt.surface is null",
        ),
        (
            "prompt: {text: 'a {material} print'}",
            "5:16: prompt.text: asks for {material}, but capture.material is null",
        ),
        (
            "finger: {ten_fingers: true, position: left_thumb}",
            "5:39: finger.position: cannot be chosen when ten_fingers is true: each subject has all ten",
        ),
        ("capture: {variation: .nan}", "5:22: capture.variation: must be a finite number, not nan"),
        ("seed: 1\nseed: 2", '6:1: found duplicate key "seed"'),
        ("image: {width: 512", "6:1: expected ',' or '}', but got '<stream end>'"),
        (
            "x: !!python/object/apply:os.system [ls]",
            "5:4: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
    ],
)
def test_one_clear_line_with_its_place(recipe, line, told):
    path = recipe(f"# a comment\n---\nidentities: 2\nimpressions: 2\n{line}\n")
    assert message(path).splitlines() == [f"recipe.yaml:{each}" for each in told.splitlines()]


def test_missing_keys_are_told_together(recipe):
    assert message(recipe("name: x\n")).splitlines() == [
        "recipe.yaml: identities: is missing and has no default",
        "recipe.yaml: impressions: is missing and has no default",
    ]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_that_is_no_mapping(recipe, text):
    assert message(recipe(text)).startswith("recipe.yaml:1:1: a mapping of keys to values is wanted here")


def test_files_that_cannot_be_read(tmp_path):
    assert message(tmp_path / "none.yaml") == f"{tmp_path}/none.yaml: no such file or directory"
    assert message(tmp_path) == f"{tmp_path}: is a directory"
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert message(tmp_path / "binary.yaml") == f"{tmp_path}/binary.yaml: is not UTF-8 text"
    (tmp_path / "huge.yaml").write_text("# " + "x" * (1 << 20))
    assert "larger than" in message(tmp_path / "huge.yaml")


@pytest.mark.parametrize("text", ["&a [*a]", "identities: " + "[" * 5000, "{a: &a {b: *a}}"])
def test_knotted_and_deep_yaml_is_refused_in_words(recipe, text):
    assert message(recipe(text)).startswith("recipe.yaml")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("sampling.stpes=8", "--set sampling.stpes=8: sampling.stpes: unknown key (did you mean steps?)"),
        ("sampling={stpes: 8}", "--set sampling={stpes: 8}: sampling.stpes: unknown key (did you mean steps?)"),
        ("sampling.steps=0", "--set sampling.steps=0: sampling.steps: must be at least 1, not 0"),
        ("image.width.x=3", "--set image.width.x=3: image.width: must be a whole number, not {'x': 3}"),
        ("steps", "--set steps: is not of the form key=value, as in --set sampling.steps=8"),
        (".=3", "--set .=3: is not of the form key=value, as in --set sampling.steps=8"),
        ("seed=[", "--set seed=[: the value is not YAML"),
    ],
)
def test_options_are_told_as_options(recipe, option, told):
    assert message(recipe(GOOD), option).startswith(told)


def test_options_replace_values(recipe):
    options = ["sampling.steps=8", "prompt.sensor={thermal: 1.0}", "gate=off", "gate.recall=0.5", "seed=9", "seed=10"]
    loaded = load_recipe(recipe(GOOD), options).recipe
    assert (loaded.sampling.steps, loaded.sampling.model, loaded.seed) == (8, "virtual", 10)
    assert loaded.prompt.sensor == {"thermal": 1.0}
    assert loaded.gate.recall == 0.5


def test_deterministic_sampler_with_shared_steps_is_a_notice(recipe):
    text = (
        "identities: 2\nimpressions: 2\nsampling: {student: none, scheduler: ddim, steps: 20, shared_noise_steps: 4}\n"
    )
    assert load_recipe(recipe(text)).notices == (
        "recipe.yaml:3:75: sampling.shared_noise_steps: ddim draws no noise between its steps: "
        "only the initial noise is shared",
    )
    assert load_recipe(recipe(text.replace("ddim", "ddpm"))).notices == ()


def test_a_model_is_sampled_as_its_folder_says(recipe):
    """The bundled student's folder names TCD, the model's own DDIM; whoever asks for another is told, and gets it."""
    text = "identities: 2\nimpressions: 2\nsampling: {%s}\n"
    asked = {"steps: 4": "tcd", "student: none": "ddim", "scheduler: default": "tcd", "scheduler: lcm": "lcm"}
    loaded = {key: load_recipe(recipe(text % key)) for key in asked}
    assert {key: one.recipe.sampling.scheduler for key, one in loaded.items()} == asked
    assert {key for key, one in loaded.items() if one.notices} == {"scheduler: lcm"}
    assert "learnt to be sampled by tcd, not by lcm" in loaded["scheduler: lcm"].notices[0]
    again = load_recipe(recipe(recipe_yaml(loaded["steps: 4"].recipe)))
    assert again.recipe == loaded["steps: 4"].recipe
    assert load_recipe(recipe(text % "model: virtual")).recipe.sampling.scheduler is None


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("scheduler: lcm, eta: 0.2", r"sampling\.eta: lcm has no choice of it; ddim and tcd have"),
        ("eta: 2", r"sampling\.eta: must be at most 1, not 2"),
        ("student: swift", r"sampling\.student: .* has no student 'swift'; it has: default"),
    ],
)
def test_sampling_that_cannot_be(recipe, key, told):
    with pytest.raises(UserError, match=told):
        load_recipe(recipe(f"identities: 2\nimpressions: 2\nsampling: {{{key}}}\n"))


def test_what_the_model_never_saw_is_told(recipe):
    text = "identities: 2\nimpressions: 2\nimage: {width: 512, height: 256, ppi: 700}\n"
    told = " ".join(load_recipe(recipe(text)).notices)
    assert "image.height: the model never saw images of 256 pixels" in told
    assert "image.ppi: the model never saw prints at 700 ppi" in told
    assert "width" not in told
    assert not load_recipe(recipe(text + "sampling: {model: virtual}\n")).notices


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("surface: glass", "glass is left out: only latent prints have it"),
        ("surface: card, sensor: null", "card is left out: only latent or ink prints have it"),
        ("surface: metal, sensor: {ink: 1, latent: 0}", "metal is left out: only latent prints have it"),
        ("surface: card, sensor: ink", None),
        ("surface: {glass: 0, card: 1}, sensor: ink", None),
        ("surface: glass, sensor: {optical: 0.9, latent: 0.1}", None),
    ],
)
def test_a_surface_that_no_sensor_can_have_is_a_notice(recipe, words, told):
    loaded = load_recipe(recipe(f"identities: 2\nimpressions: 2\nprompt: {{{words}}}\n"))
    line = f"recipe.yaml:3:19: prompt.surface: {told}, and prompt.sensor asks for none"
    assert [notice for notice in loaded.notices if "surface" in notice] == ([line] if told else [])


def test_styles_are_found_from_the_recipes_folder(tmp_path, monkeypatch):
    (tmp_path / "looks").mkdir()
    for name in ("b.png", "a.png"):
        Image.new("L", (8, 8)).save(tmp_path / "looks" / name)
    path = tmp_path / "recipe.yaml"
    path.write_text("identities: 1\nimpressions: 1\nstyle: {images: [looks/*.png, looks/a.png]}\n")
    monkeypatch.chdir("/")
    assert [style.name for style in load_recipe(path).styles] == ["a.png", "b.png", "a.png"]


def test_brackets_are_a_pattern_only_where_no_file_is_called_so(tmp_path):
    folder = tmp_path / "a[1]"
    folder.mkdir()
    for name in ("q[1].png", "q1.png", "q2.png"):
        Image.new("L", (8, 8)).save(folder / name)
    (folder / "recipe.yaml").write_text(
        "identities: 1\nimpressions: 1\nstyle: {images: ['q[1].png', 'q[12].png', 'q[[]*.png']}\n"
    )
    styles = load_recipe(folder / "recipe.yaml").styles
    assert [style.name for style in styles] == ["q[1].png", "q1.png", "q2.png", "q[1].png"]


def test_a_truncated_style_image_is_refused(recipe, tmp_path):
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:900])
    assert "cut.png is not an image that can be read" in message(recipe(GOOD + "style: {images: cut.png}\n"))


def test_the_digest_is_of_the_meaning(recipe, tmp_path):
    digest = load_recipe(recipe(GOOD)).digest
    assert load_recipe(recipe("# other words\n" + GOOD + "gate: {retries: 3}\n")).digest == digest
    assert load_recipe(recipe(GOOD), ["seed=4"]).digest != digest
    Image.new("L", (8, 8)).save(tmp_path / "look.png")
    styled = recipe(GOOD.replace("virtual", "default") + "style: {images: look.png}\n")
    before = load_recipe(styled).digest
    grounded = load_recipe(styled, ["style.background=look.png"]).digest
    Image.new("L", (8, 8), 99).save(tmp_path / "look.png")
    assert load_recipe(styled).digest != before != grounded


@pytest.mark.parametrize("option", ["seed=3", "gate=off", "finger.pattern={whorl: 1.0}", "prompt.sensor=null"])
def test_the_resolved_recipe_loads_again_and_means_the_same(recipe, option):
    first = load_recipe(recipe(GOOD), [option, "sampling.model=default"])
    assert load_recipe(recipe(recipe_yaml(first.recipe))).digest == first.digest


def test_natural_pattern_is_the_default_and_has_the_natural_shares(recipe):
    assert load_recipe(recipe(GOOD)).recipe.finger.pattern is None
    assert load_recipe(recipe(GOOD), ["finger.pattern=natural"]).recipe.finger.pattern is None
    assert sum(NATURAL_SHARES.values()) == pytest.approx(1)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "more than 100000 values once its aliases are written out"),
        ("a: &a [*a]\n", "aliases"),
        ("identities: !!bool x\n", "a value is not of the type that its tag says"),
        ("identities: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
    ],
)
def test_yaml_that_is_no_recipe_is_one_line(recipe, text, told):
    with pytest.raises(UserError, match=told) as error:
        load_recipe(recipe(text))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero")):
        with pytest.raises(UserError, match="is no ordinary file"):
            load_recipe(path)


@pytest.mark.parametrize("text", ["a {sensor:>999999999}", "a {sensor!r}", "a {sensor:{skin}}"])
def test_braces_hold_slots_and_nothing_else(recipe, text):
    with pytest.raises(UserError, match=r"prompt\.text: \{slot\} may stand in it"):
        load_recipe(recipe(f"identities: 1\nimpressions: 1\nprompt: {{text: '{text}'}}\n"))


def test_records_need_252_ppi(recipe):
    text = "identities: 1\nimpressions: 1\nimage: {ppi: %d}\noutput: {minutiae: [xyt, ansi378]}\n"
    with pytest.raises(UserError, match=r"image\.ppi: 250 is too little for ansi378 records: at least 252"):
        load_recipe(recipe(text % 250))
    load_recipe(recipe(text % 252))
    load_recipe(recipe((text % 250).replace(", ansi378", "")))


TEMPLATE = "100 120 45 50\n140 90 200 60\n"


@pytest.mark.parametrize(
    ("finger", "line"),
    [
        ("{layout: {cores: [[288, 300]], deltas: []}}", "finger.layout: 1 cores and 0 deltas: a fingertip has as many"),
        ("{layout: {cores: [[288, 300]]}}", "finger.layout: deltas are missing"),
        ("{layout: {cores: [[288, 3000]], deltas: [[1, 1]]}}", "cores[0][1]: must be at most 703, not 3000"),
        ("{layout: {cores: [], deltas: []}, pattern: whorl}", "finger.pattern: is decided by the cores and deltas"),
        ("{source: {minutiae: none.xyt}}", "finger.source.minutiae[0]: no file none.xyt"),
        ("{source: {minutiae: recipe.yaml}}", "recipe.yaml is not a minutiae file that can be read"),
        ("{source: {minutiae: empty.xyt}}", "empty.xyt has no minutiae"),
        ("{source: {minutiae: blank.fmr}}", "blank.fmr is not a minutiae file that can be read"),
        ("{source: {prints: one.xyt}}", "one.xyt is not an image that can be read"),
        ("{source: {}}", "finger.source: one of minutiae, prints and images must be listed, and not two"),
        ("{source: {minutiae: one.xyt}}", "identities: 4, but finger.source lists 1 files"),
        ("{source: {minutiae: one.xyt}, pattern: whorl}", "finger.pattern: is read from the files"),
        ("{source: {minutiae: one.xyt}, unique: 0.5}", "finger.unique: has no effect with finger.source"),
        ("{source: {minutiae: one.xyt}, layout: {scars: [[1, 1, 9, 9]]}}", "finger.layout: has no place beside"),
    ],
)
def test_fingers_of_files_and_by_hand_that_cannot_be(recipe, finger, line):
    path = recipe(GOOD + f"finger: {finger}\n")
    Path("one.xyt").write_text(TEMPLATE)
    Path("empty.xyt").write_text("")
    Path("blank.fmr").write_bytes(bytes.fromhex("464d5200 20323000 00000018 0000 0200 01e0 00c5 00c5 00 00"))
    assert line in message(path)


def test_the_files_of_fingers_are_part_of_what_a_recipe_says(recipe):
    Path("one.xyt").write_text(TEMPLATE)
    path = recipe(GOOD.replace("identities: 4", "identities: 1") + "finger: {source: {minutiae: '*.xyt'}}\n")
    loaded = load_recipe(path)
    before = loaded.digest
    Path("one.xyt").write_text(TEMPLATE.replace("45", "46"))
    assert [source.name for source in loaded.sources] == ["one.xyt"]
    assert load_recipe(path).digest != before
