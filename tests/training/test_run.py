"""Training as the command line calls it: the recipes of this project start, and mistakes get one clear line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from fpsynth.diffusion.model import load_model
from fpsynth.errors import UserError
from fpsynth.model_folder import default_model
from fpsynth.recipe.document import read_document
from fpsynth.recipe.validate import validate
from fpsynth.training import run
from fpsynth.training.data import BankSettings, add_images
from fpsynth.training.run import STAGES
from tests.training.tiny import QUIET, waves

RECIPES = Path(__file__).parents[2] / "recipes"
SHORT = ("loop.steps=1", "loop.batch=2", "loop.precision=fp32")
SMALL = (*SHORT, "crops.sizes={64: 1.0}")


def train(stage, recipe, overrides, out, device="cpu"):
    run.train(stage, run.Order(recipe=recipe, overrides=overrides, out=out, device=device), QUIET)


def distill(recipe, overrides, out):
    run.distill(run.Order(recipe=recipe, overrides=overrides, out=out, device="cpu"), QUIET)


@pytest.fixture(scope="module")
def trained(home, bank, vae):
    """A model made by the autoencoder's and the denoiser's recipes, one step each."""
    out = home / "by-recipe"
    given = f"bank={home / 'bank'}"
    train("autoencoder", RECIPES / "train" / "autoencoder.yaml", (*SHORT, given), out / "autoencoder")
    found = (given, f"autoencoder={out / 'autoencoder' / 'vae'}")
    train("denoiser", RECIPES / "train" / "denoiser.yaml", (*SMALL, *found), out / "denoiser")
    return out / "denoiser" / "model"


def test_the_recipes_make_a_model_that_can_be_bundled(trained):
    """60 MB in all, with what is bundled beside it and a student that is a LoRA."""
    beside = ("embedding", "extractor", "reader", "upscaler")
    others = sum(f.stat().st_size for f in default_model().parent.rglob("*") if f.parent.name in beside)
    ours = [path.stat().st_size for path in trained.rglob("*") if path.is_file()]
    assert sum(ours) + others + 4e6 <= 60e6
    assert max(ours) <= 15e6


HUBER = {"adversarial": 0.03, "flash": 0.03, "lcm": 0.01, "phased": 0.01, "segment": 0.03, "trajectory": 0.03}


@pytest.mark.parametrize("recipe", sorted((RECIPES / "distill").glob("*.yaml")), ids=lambda path: path.stem)
def test_distillation_starts_by_its_recipe(home, trained, tmp_path, recipe):
    given = (f"bank={home / 'bank'}", f"model={trained}")
    distill(recipe, (*SMALL, *given), tmp_path)
    name = read_document(recipe).data["name"]
    load_model(tmp_path / "model", student=name, dtype=torch.float32)
    noted = json.loads((tmp_path / "settings.json").read_text())
    assert noted["name"] == name and noted["loop"]["batch"] == 2 and noted["method"]["huber"] == HUBER[recipe.stem]


def test_adapters_start_by_their_recipe(home, trained, tmp_path):
    given = (f"bank={home / 'bank'}", f"model={trained}")
    train("adapters", RECIPES / "train" / "adapters.yaml", (*SMALL, *given), tmp_path)
    load_model(tmp_path / "model", dtype=torch.float32)


def test_the_help_of_train_names_every_stage():
    said = subprocess.run(
        [sys.executable, "-m", "fpsynth", "train", "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    ).stdout
    assert [stage for stage in STAGES if stage not in said] == []


def test_the_bank_of_the_recipe_is_the_one_that_the_other_recipes_look_for():
    document = read_document(RECIPES / "train" / "bank.yaml")
    assert document.data.pop("stage") == "bank"
    assert validate(document, BankSettings).content() == BankSettings().content()


def test_every_stage_has_a_recipe():
    recipes = (RECIPES / "train").glob("*.yaml")
    assert {yaml.safe_load(path.read_text(encoding="utf-8"))["stage"] for path in recipes} == set(STAGES)


@pytest.mark.parametrize(
    ("stage", "recipe", "change", "told"),
    [
        ("denoise", "denoiser", "loop.steps=1", "unknown stage 'denoise'; stages are bank, autoencoder"),
        ("adapters", "denoiser", "loop.steps=1", "denoiser.yaml:3:8: stage: is 'denoiser', but the stage to run is"),
        ("denoiser", "denoiser", "loop.stepz=1", "--set loop.stepz=1: loop.stepz: unknown key (did you mean steps?)"),
        ("denoiser", "denoiser", "network={kind: unet, widths: [64, 64, 100]}", "network.widths[2]: "),
        ("denoiser", "denoiser", "autoencoder=nowhere", "nowhere: no autoencoder there; `fpsynth train autoencoder`"),
        ("denoiser", "denoiser", "crops.sizes={72: 1.0}", "multiple of 64"),
        ("denoiser", "denoiser", "loop.precision=fp16", "fp16 needs a CUDA device"),
        ("denoiser", "denoiser", "network={kind: unet, heads: 3}", "network: Value error, heads: 3 do not divide"),
        ("denoiser", "denoiser", "loop.seed=4294967296", "loop.seed: must be at most"),
        ("autoencoder", "autoencoder", "crop=130", "crop: Input should be a multiple of 64"),
        ("autoencoder", "autoencoder", "crop=600", "crop: "),
        ("autoencoder", "autoencoder", "block_out_channels=[16, 16, 20, 144]", "20 is no multiple of norm_num_groups"),
        ("autoencoder", "autoencoder", "latent_channels=4", "it needs 64 latent_channels"),
        ("autoencoder", "autoencoder", "bank=nowhere", "nowhere: not a bank"),
        ("adapt", "adapt", "finisher.precision=fp16", "finisher: Value error, precision fp16 beside"),
        ("adapters", "adapters", "model=nowhere", "nowhere: no model here"),
        ("reader", "reader", "start=nowhere", "nowhere: not a reader"),
        ("bank", "bank", "images=0", "images: must be more than 0, not 0"),
        ("bank", "bank", "sensor={inc: 1}", "unknown word 'inc'"),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(tmp_path, stage, recipe, change, told):
    with pytest.raises(UserError) as error:
        train(stage, RECIPES / "train" / f"{recipe}.yaml", (change,), tmp_path / "out")
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("start=nowhere", "nowhere: no model here"),
        ("start=MODEL", "is a model of another network"),
        ("network.control_widths=[4, 8]", "control_widths wants 3 numbers"),
    ],
)
def test_a_network_that_cannot_be_is_named_before_the_bank_is_made(home, model, tmp_path, change, told):
    given = (f"autoencoder={home / 'encoder'}", "network={kind: unet, widths: [64, 128]}")
    with pytest.raises(UserError, match=told):
        change = change.replace("MODEL", str(model))
        train("denoiser", RECIPES / "train" / "denoiser.yaml", (*SMALL, *given, change), tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("model=nowhere", "nowhere: no model here"),
        ("method=magic", "method: wants `kind`, one of phased, trajectory, segment, lcm"),
        ("method={kind: phased, hubris: 1}", "method.hubris: unknown key"),
        ("name=../up", "name: "),
        ("teacher=nobody", "has no student 'nobody'; it has: default"),
        ("loop.precision=fp16", "fp16 needs a CUDA device"),
        ("teacher_steps=300", "teacher_steps 300 must divide 1000"),
        ("start=nowhere", "start: nowhere is no folder of a student"),
    ],
)
def test_mistakes_in_distillation_leave_nothing(tmp_path, change, told):
    with pytest.raises(UserError) as error:
        distill(RECIPES / "distill" / "lcm.yaml", (change,), tmp_path / "out")
    assert told in str(error.value)
    assert not list(tmp_path.iterdir())


EXTRACTOR = ("crop=64", *SHORT)


@pytest.fixture
def extract(home, bank, tmp_path):
    """A run of the extractor stage."""

    def run_with(*overrides, bank=home / "bank"):
        recipe = RECIPES / "train" / "extractor.yaml"
        train("extractor", recipe, (*EXTRACTOR, f"bank={bank}", *overrides), tmp_path / "run")

    return run_with


def steps(out):
    return [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_run_goes_on_longer_and_looks_more_often(extract, tmp_path):
    extract()
    extract("loop.steps=2", "loop.log_every=1", "loop.checkpoint_minutes=1", "loop.grid_every=7")
    assert steps(tmp_path / "run") == [1, 2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("loop.learning_rate=1.0e-4",), r"\(loop.learning_rate\)"),
        (("crop=128", "loop.seed=3"), r"\(crop, loop.seed\)"),
        (("zoom=[0.9, 1.25]",), r"\(zoom\)"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(extract, tmp_path, change, told):
    extract()
    before = (tmp_path / "run" / "settings.json").read_bytes()
    with pytest.raises(UserError, match=f"run: its checkpoint was made from something else {told}"):
        extract("loop.steps=2", *change)
    assert (tmp_path / "run" / "settings.json").read_bytes() == before and steps(tmp_path / "run") == [1]
    extract()


def test_a_checkpoint_of_another_bank_is_refused(extract, home, tmp_path):
    """By what it holds, wherever that lies."""
    extract()
    shutil.copytree(home / "bank", tmp_path / "same")
    extract("loop.steps=2", bank=tmp_path / "same")
    images, planes, labels = waves()
    add_images(tmp_path / "other", images.flip(0), planes, labels)
    with pytest.raises(UserError, match=r"something else \(bank\)"):
        extract("loop.steps=3", bank=tmp_path / "other")


def test_where_there_is_no_checkpoint_anything_may_begin(extract, tmp_path):
    extract()
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    extract("loop.seed=3")
    with pytest.raises(UserError, match=r"something else \(loop.seed\)"):
        extract("loop.seed=4")


def test_a_checkpoint_that_does_not_say_of_what_is_refused(extract, tmp_path):
    extract()
    (tmp_path / "run" / "origin.json").unlink()
    with pytest.raises(UserError, match="does not say what it was made from; choose another folder"):
        extract()


def test_a_student_of_another_teacher_or_method_is_refused(home, trained, tmp_path):
    given, recipe = (f"bank={home / 'bank'}", "rank=2", *SMALL), RECIPES / "distill" / "lcm.yaml"
    distill(recipe, (*given, f"model={trained}"), tmp_path / "run")
    other = shutil.copytree(trained, tmp_path / "other")
    (other / "README.md").write_text("Another one.")
    for change, told in ((f"model={other}", "model"), ("method={kind: phased}", "method.kind")):
        with pytest.raises(UserError, match=rf"something else \({told}\)"):
            distill(recipe, (*given, f"model={trained}", change), tmp_path / "run")
    distill(recipe, (*given, f"model={shutil.copytree(trained, tmp_path / 'same')}"), tmp_path / "run")


@pytest.mark.parametrize("stage", ["distill", "adapters", "finisher", "adapt"])
def test_a_model_that_the_run_writes_over_is_refused(trained, tmp_path, stage):
    own = shutil.copytree(trained, tmp_path / "own" / "model")
    for base, out in ((own, tmp_path / "own"), (tmp_path / "own", tmp_path / "own"), (own, own / "run")):
        with pytest.raises(UserError, match=r"^model: .* overlaps .*model, which this run writes"):
            if stage == "distill":
                distill(RECIPES / "distill" / "lcm.yaml", (f"model={base}",), out)
            else:
                train(stage, RECIPES / "train" / f"{stage}.yaml", (f"model={base}",), out)
    assert load_model(own) and [path.name for path in (tmp_path / "own").iterdir()] == ["model"]


@pytest.mark.parametrize("stage", ["reader", "extractor", "finisher", "adapters"])
def test_a_bank_of_another_resolution_is_refused(home, trained, tmp_path, stage):
    fine = shutil.copytree(home / "bank", tmp_path / "fine")
    described = json.loads((fine / "store.json").read_text())
    (fine / "store.json").write_text(json.dumps(described | {"settings": {"images": "own", "ppi": 1000}}))
    for bank in (f"bank={fine}", "bank={ppi: 1000}"):
        given = (bank, *((f"model={trained}",) if stage in ("finisher", "adapters") else ()))
        with pytest.raises(UserError, match=r"^bank: is of 1000 ppi, and this stage needs 500$"):
            train(stage, RECIPES / "train" / f"{stage}.yaml", given, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["fine"]


def test_a_file_is_no_folder_for_a_run(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        train("bank", RECIPES / "train" / "bank.yaml", (), tmp_path / "out")


def test_cuda_is_asked_for_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device"):
        train("bank", RECIPES / "train" / "bank.yaml", (), tmp_path / "out", "cuda")
