"""The finisher stage: what it is shown, what it mends, and that a run which was cut ends as any other."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from fpsynth.diffusion.finisher import Finisher, Shape
from fpsynth.diffusion.model import load_model, save_model
from fpsynth.diffusion.sample import sample
from fpsynth.diffusion.settings import Settings
from fpsynth.errors import UserError
from fpsynth.model_folder import PLANES
from fpsynth.training.autoencoder import AutoencoderSettings, new_autoencoder
from fpsynth.training.batches import DropSettings
from fpsynth.training.critic import Critic, Eye, Trial
from fpsynth.training.denoiser.denoiser import new_model, trained_on
from fpsynth.training.finisher import Artist, FinisherSettings, run_finisher
from fpsynth.training.finisher.drawn import Drawing, is_paired
from fpsynth.training.finisher.finisher import Crops, FinisherJob, ridge_of
from fpsynth.training.loop import fit
from tests.diffusion.test_sample import request
from tests.training.test_adapt import adapted, line_scan
from tests.training.tiny import QUIET, Cut, cut_at, denoiser_settings, loop


@pytest.fixture(scope="module")
def pixel_model(tmp_path_factory, bank):
    """An untrained model whose latents are the pixels, turned."""
    home = tmp_path_factory.mktemp("pixels")
    shape = {"transform": "dct", "block_out_channels": (16, 16, 64, 144), "latent_channels": 64}
    new_autoencoder(
        AutoencoderSettings(stage="autoencoder", loop=loop(1), **shape), torch.zeros(1, 1, 64, 64)
    ).save_pretrained(home / "encoder")
    save_model(home / "model", new_model(denoiser_settings(home)), trained_on(PLANES, bank))
    return home / "model"


def settings_of(model, plan, **changes) -> FinisherSettings:
    usual = {
        "stage": "finisher",
        "model": model,
        "student": None,
        "steps": (2, 1),
        "pictures": 64,
        "side": 64,
        "crop": 64,
    }
    return FinisherSettings(**usual | {"loop": plan} | changes)


def test_a_run_that_was_cut_ends_with_the_same_weights(bank, pixel_model, tmp_path):
    run_finisher(settings_of(pixel_model, loop(3, log_every=1)), bank, tmp_path / "whole", "cpu", QUIET)
    often = settings_of(pixel_model, loop(3, log_every=1, checkpoint_minutes=1e-9))
    with pytest.raises(Cut):
        run_finisher(often, bank, tmp_path / "cut", "cpu", cut_at(2))
    run_finisher(often, bank, tmp_path / "cut", "cpu", QUIET)
    path = "model/finisher/diffusion_pytorch_model.safetensors"
    assert (tmp_path / "whole" / path).read_bytes() == (tmp_path / "cut" / path).read_bytes()
    assert load_model(tmp_path / "whole" / "model").finisher is not None


def test_what_is_weighed_goes_from_end_to_end(pixel_model):
    """By equal factors: half way at the geometric mean."""
    job = FinisherJob(Finisher(Shape(1, 4)), Trial(Critic(1, 4)), None, settings_of(pixel_model, loop(100)))
    assert [job.weight(step, (10.0, 0.1)) for step in (0, 50, 100)] == pytest.approx([10, 1, 0.1])


def test_texture_is_weighed_where_the_recipe_says(bank, pixel_model, tmp_path):
    for weight in (0.0, 5.0):
        settings = settings_of(pixel_model, loop(2, log_every=1), alone=0, texture=weight)
        run_finisher(settings, bank, tmp_path / str(weight), "cpu", QUIET)
    runs = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("0.0", "5.0")]
    without, weighed = (json.loads(lines[0]) for lines in runs)
    assert weighed["loss"] == pytest.approx(without["loss"] + 5 * weighed["texture"], rel=1e-3)
    assert weighed["texture"] > 0 and "texture" not in without


def test_texture_needs_the_ridges(pixel_model):
    assert ridge_of(settings_of(pixel_model, loop(1), texture=1.0), ("contact", "ridge")) == 1
    assert ridge_of(settings_of(pixel_model, loop(1)), ("contact",)) == 0
    with pytest.raises(UserError, match="texture: needs the plane `ridge`"):
        ridge_of(settings_of(pixel_model, loop(1), texture=1.0), ("contact",))


def test_a_new_finisher_is_shown_specks_where_the_recipe_says(bank, pixel_model, tmp_path):
    run_finisher(settings_of(pixel_model, loop(1), specks=True), bank, tmp_path, "cpu", QUIET)
    assert load_model(tmp_path / "model").finisher.shape.specks


def test_sampling_ends_with_it_unless_told_otherwise(bank, pixel_model, tmp_path):
    run_finisher(settings_of(pixel_model, loop(5)), bank, tmp_path, "cpu", QUIET)
    model = load_model(tmp_path / "model", dtype=torch.float32)
    settings, asked = Settings(seed=0, scheduler="ddim", steps=2), [request(0)]
    plain = sample(replace(model, finisher=None), settings, asked)[0].image
    assert np.array_equal(sample(model, replace(settings, finish=False), asked)[0].image, plain)
    assert not np.array_equal(sample(model, settings, asked)[0].image, plain)


def test_pictures_of_other_settings_are_not_taken(bank, pixel_model, tmp_path):
    run_finisher(settings_of(pixel_model, loop(1)), bank, tmp_path, "cpu", QUIET)
    with pytest.raises(UserError, match="other settings"):
        run_finisher(settings_of(pixel_model, loop(1), cfg_scale=(3,)), bank, tmp_path, "cpu", QUIET)


@pytest.mark.parametrize(
    ("wrong", "told"), [({"crop": 128}, "more than a picture's side"), ({"steps": ()}, "at least 1")]
)
def test_settings_that_cannot_be(pixel_model, wrong, told):
    with pytest.raises(ValidationError, match=told):
        settings_of(pixel_model, loop(1), **wrong)


def test_a_model_whose_noise_is_not_on_pixels_is_refused(bank, model, tmp_path):
    with pytest.raises(UserError, match="pixels"):
        run_finisher(settings_of(model, loop(1)), bank, tmp_path, "cpu", QUIET)


def test_it_goes_on_with_the_models_own(bank, pixel_model, tmp_path):
    with pytest.raises(UserError, match="no finisher"):
        run_finisher(settings_of(pixel_model, loop(1), fresh=False), bank, tmp_path / "none", "cpu", QUIET)
    run_finisher(settings_of(pixel_model, loop(2)), bank, tmp_path / "first", "cpu", QUIET)
    had = tmp_path / "first" / "model"
    run_finisher(settings_of(had, loop(1, learning_rate=1e-9), fresh=False), bank, tmp_path / "second", "cpu", QUIET)
    path = "model/finisher/diffusion_pytorch_model.safetensors"
    before, after = (load_file(tmp_path / run / path) for run in ("first", "second"))
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_pictures_are_drawn_in_turns_and_half_from_the_print(pixel_model, source):
    how = Drawing(side=64, sampler="tcd", steps=(4, 1), cfg_scale=(1,), drop=DropSettings(), seed=0)
    artist = Artist(load_model(pixel_model, dtype=torch.float32), source, how)
    courses = [artist._course(row) for row in range(0, 64, 8)]
    assert [is_paired(row) for row in range(0, 64, 8)] == [True] * 4 + [False] * 4
    assert [len(course.times) - course.begin for course in courses] == [3, 1, 3, 1, 4, 1, 4, 1]
    assert courses[1].times[1] == courses[0].times[2], "what is left of two steps begins where the third of four does"


@pytest.mark.parametrize("learns", [pytest.param(True, marks=pytest.mark.slow), False])
def test_where_a_sensor_is_learnt_the_finisher_learns_on(bank, pixel_model, tmp_path, monkeypatch, learns):
    """And anew, from other pictures, where the model has then learnt for longer."""
    monkeypatch.setattr("fpsynth.training.adapt.adapt.PICTURES", 64)
    run_finisher(settings_of(pixel_model, loop(1)), bank, tmp_path / "base", "cpu", QUIET)
    data, plan = line_scan(tmp_path / "prints", range(4), 3), loop(2) if learns else None
    for steps in (1, 2) if learns else (1,):
        adapted(data, tmp_path / "base" / "model", bank, loop(steps), tmp_path / "own", finisher=plan)
    path = "model/finisher/diffusion_pytorch_model.safetensors"
    before, after = (load_file(tmp_path / run / path) for run in ("base", "own"))
    assert all(torch.equal(before[key], after[key]) for key in before) != learns


class Hatched:
    """Pictures of even grey with grain, drawn with a line along every eighth row and without the grain."""

    count, side = 64, 64

    def crops(self, index, top, left, size):
        noise = torch.randn(len(index), 1, size, size, generator=torch.Generator().manual_seed(sum(index)))
        other = torch.randn(len(index), 1, size, size, generator=torch.Generator().manual_seed(1 + sum(index)))
        lines = 0.2 * (torch.arange(size) % 8 == 0).float()[:, None]
        return Crops(
            drawn=torch.zeros(len(index), 1, size, size) + lines,
            real=0.2 * other,
            planes=torch.zeros(len(index), 1, size, size),
            noise=noise,
            code=torch.zeros(len(index), 1),
            paired=torch.zeros(len(index)),
        )


@pytest.mark.slow
@pytest.mark.parametrize("eye", [Eye(), Eye(depth=1, heads=4)], ids=["plain", "deep"])
def test_it_mends_lines_and_draws_grain(eye, tmp_path):
    settings = settings_of(None, loop(150, batch=8, learning_rate=3e-3), penalty=(0.02, 0.002), alone=0)
    torch.manual_seed(0)
    finisher = Finisher(Shape(planes=1, code=1, widths=(8, 16)))
    job = FinisherJob(finisher, Trial(Critic(1, 1, eye)), Hatched(), settings)
    fit(job, settings.loop, tmp_path, "cpu", QUIET)
    crops = Hatched().crops([900, 901], [0, 0], [0, 0], 64)
    with torch.no_grad():
        ended = finisher(crops.drawn, crops.planes, crops.noise, crops.code)
    lines = (ended[:, :, ::8].mean() - ended.mean()).abs()
    assert lines < 0.06
    assert 0.1 < ended.std() < 0.3
