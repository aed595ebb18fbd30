"""Training as the command line calls it: the recipes of this project start, and mistakes get one clear line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fpsynth.diffusion.model import load_model
from fpsynth.errors import UserError
from fpsynth.model_folder import default_model
from fpsynth.recipe.document import read_document
from fpsynth.recipe.validate import validate
from fpsynth.training import run
from fpsynth.training.data import BankSettings
from fpsynth.training.run import STAGES
from tests.training.tiny import QUIET

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
    assert {path.stem for path in (RECIPES / "train").glob("*.yaml")} == set(STAGES)


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
        ("autoencoder", "autoencoder", "bank=nowhere", "nowhere: not a bank"),
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
        ("model=nowhere", "nowhere: no model here"),
        ("method=magic", "method: wants `kind`, one of phased, trajectory, segment, lcm"),
        ("method={kind: phased, hubris: 1}", "method.hubris: unknown key"),
        ("name=../up", "name: "),
        ("teacher=nobody", "has no student 'nobody'; it has: default"),
        ("loop.precision=fp16", "fp16 needs a CUDA device"),
    ],
)
def test_mistakes_in_distillation_leave_nothing(tmp_path, change, told):
    with pytest.raises(UserError) as error:
        distill(RECIPES / "distill" / "lcm.yaml", (change,), tmp_path / "out")
    assert told in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder_for_a_run(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        train("bank", RECIPES / "train" / "bank.yaml", (), tmp_path / "out")


def test_cuda_is_asked_for_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device"):
        train("bank", RECIPES / "train" / "bank.yaml", (), tmp_path / "out", "cuda")
