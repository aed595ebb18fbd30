"""A transformer by one file and one table entry: trained, distilled by an adversarial method of one file, and used."""

import json
from statistics import median

import pytest
import torch
from safetensors.torch import load_file

from fpsynth.console import Console
from fpsynth.diffusion.denoiser import BACKBONES
from fpsynth.diffusion.model import load_model
from fpsynth.flow import Order, generate
from fpsynth.training import run
from fpsynth.training.distill import METHODS
from tests.growth.toy_adversary import AdversarialSettings
from tests.growth.toy_transformer import BACKBONE
from tests.training.tiny import QUIET, Cut, cut_at, wave_autoencoder, wave_bank

LOOP = {"steps": 6, "batch": 4, "learning_rate": 2e-3, "warmup": 1, "precision": "fp32", "log_every": 1}
CROPS = {"sizes": {64: 1.0}}
RECIPE = """\
identities: 1
impressions: 2
image: {width: 128, height: 128}
sampling: {model: by-recipe/student/model, student: quick}
gate: off
"""


@pytest.fixture(scope="module")
def grown():
    """The two table entries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, "ToyTransformer", BACKBONE)
        patch.setitem(METHODS, "adversarial", AdversarialSettings)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("growth")
    wave_autoencoder(wave_bank(home / "bank"), home / "encoder")
    return home


def write(path, content):
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


def train(home, out, console=QUIET, **loop):
    content = {"stage": "denoiser", "autoencoder": str(home / "encoder"), "bank": str(home / "bank"), "crops": CROPS}
    content |= {"network": {"kind": "toy", "layers": 1}, "prediction": "sample", "loop": LOOP | loop}
    recipe = write(home / "denoiser.yaml", content)
    run.train("denoiser", run.Order(recipe=recipe, out=out, device="cpu"), console)


def distill(home, out, console=QUIET, **loop):
    content = {"model": str(home / "by-recipe" / "denoiser" / "model"), "bank": str(home / "bank"), "crops": CROPS}
    content |= {"name": "quick", "method": {"kind": "adversarial", "every": 2}, "loop": LOOP | loop}
    recipe = write(home / "distill.yaml", content)
    run.distill(run.Order(recipe=recipe, out=out, device="cpu"), console)


@pytest.fixture(scope="module")
def made(home, grown):
    train(home, home / "by-recipe" / "denoiser")
    distill(home, home / "by-recipe" / "student")
    return home / "by-recipe"


def test_it_learns_what_its_schedule_asks_for(made):
    model = load_model(made / "denoiser" / "model", dtype=torch.float32)
    assert model.schedule.prediction == "sample"
    assert type(model.denoiser).__name__ == "ToyTransformer"
    lines = (made / "denoiser" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert median(losses[3:]) < median(losses[:3])  # by the draw of the time they differ a hundredfold


def test_the_adversary_learns_in_its_own_rhythm(made):
    lines = [json.loads(line) for line in (made / "student" / "metrics.jsonl").read_text().splitlines()]
    assert ["judge_loss" in line for line in lines] == [True, False] * 3
    first = next(line for line in lines if "judge_loss" in line)
    assert first["judge_learning_rate"] == pytest.approx(2 * first["learning_rate"])
    assert (made / "student" / "final" / "judge.safetensors").exists()


def test_a_run_of_two_optimizers_goes_on_where_it_was_cut(home, made, tmp_path):
    often = {"checkpoint_minutes": 1e-9}
    with pytest.raises(Cut):
        distill(home, tmp_path, cut_at(4), **often)
    distill(home, tmp_path, **often)
    for name in ("judge", "student"):
        whole, cut = (load_file(out / "final" / f"{name}.safetensors") for out in (made / "student", tmp_path))
        assert all(torch.equal(whole[key], cut[key]) for key in whole), name


def test_generate_samples_the_student(home, made):
    (home / "recipe.yaml").write_text(RECIPE)
    assert generate(Order(recipe=home / "recipe.yaml", overrides=(), out=home / "out", device="cpu"), Console("quiet"))
    again = generate(
        Order(recipe=home / "recipe.yaml", overrides=(), out=home / "again", device="cpu"), Console("quiet")
    )
    files = [sorted((home / name / "data").iterdir())[0].read_bytes() for name in ("out", "again")]
    assert again and files[0] == files[1]
