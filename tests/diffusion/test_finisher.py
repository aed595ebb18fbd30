"""The finisher: nothing at birth, near things alone, and where a model has one, its pictures go through it."""

import shutil
from dataclasses import replace

import pytest
import torch

from fpsynth.conditioning.conditions import Conditions
from fpsynth.diffusion.finisher import (
    FOLDER,
    SLOWLY,
    WEIGHTS,
    Finisher,
    Shape,
    code_of,
    columns_of,
    load_finisher,
    save_finisher,
    specks_of,
)
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.sample import finished
from fpsynth.errors import DamagedFile

SHAPE = Shape(planes=3, code=5, widths=(8, 16, 16, 16))


def taught(shape=SHAPE):
    """As if it had learnt something."""
    torch.manual_seed(1)
    finisher = Finisher(shape)
    with torch.no_grad():
        for parameter in finisher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return finisher.eval()


def material(count=2, side=64, shape=SHAPE):
    torch.manual_seed(2)
    return (
        2 * torch.rand(count, 1, side, side) - 1,
        torch.rand(count, shape.planes, side, side),
        torch.randn(count, 1, side, side),
        torch.randn(count, shape.code),
    )


def test_it_begins_by_changing_nothing():
    picture, *told = material()
    assert torch.equal(Finisher(SHAPE)(picture, *told), picture)


@torch.no_grad()
@pytest.mark.parametrize("which", range(4), ids=["picture", "planes", "noise", "code"])
def test_everything_that_it_is_shown_counts(which):
    shown = list(material())
    before = taught()(*shown)
    shown[which] = shown[which].flip(0)
    assert not torch.allclose(taught()(*shown), before, atol=1e-3)


@torch.no_grad()
def test_a_batch_is_as_each_alone():
    shown = material(3)
    together = taught()(*shown)
    alone = torch.cat([taught()(*(x[i : i + 1] for x in shown)) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)


@torch.no_grad()
def test_what_is_far_away_does_not_count():
    """So a crop and the whole image are finished alike."""
    picture, *told = material(1, 320)
    before = taught()(picture, *told)
    picture[..., 200:] = 1
    after = taught()(picture, *told)
    assert torch.allclose(before[..., :8], after[..., :8], atol=1e-6)
    assert not torch.allclose(before[..., 180:], after[..., 180:], atol=1e-3)


@torch.no_grad()
def test_it_is_saved_in_half_floats_and_comes_back(tmp_path):
    finisher, shown = taught(), material()
    save_finisher(tmp_path, finisher)
    back = load_finisher(tmp_path, "cpu", torch.float32)
    assert torch.allclose(back(*shown), finisher(*shown), atol=1e-2)
    assert load_finisher(tmp_path / "elsewhere", "cpu", torch.float32) is None


def test_one_of_another_model_is_refused(bundle, tmp_path):
    """The tiny model's noise is not on pixels."""
    folder = shutil.copytree(bundle, tmp_path / "model")
    save_finisher(folder, taught())
    with pytest.raises(DamagedFile, match="finisher is of another model"):
        load_model(folder)


FAULTS = {
    "other widths": ("16", "24"),
    "far too wide": ("16", "100000"),
    "far too loud": ('"stir": 1.0', '"stir": 1e9'),
}


@pytest.mark.parametrize("fault", ["no weights", "no config", *FAULTS])
def test_a_damaged_one_is_named(tmp_path, fault):
    save_finisher(tmp_path, taught())
    home = tmp_path / FOLDER
    if fault in FAULTS:
        config = home / "config.json"
        config.write_text(config.read_text().replace(*FAULTS[fault]))
    else:
        (home / (WEIGHTS if fault == "no weights" else "config.json")).unlink()
    with pytest.raises(DamagedFile, match="finisher"):
        load_finisher(tmp_path, "cpu", torch.float32)


def told_of(model, styled=False, **scales):
    """A prompt under some planes, with a style image or without; always the same ones."""
    torch.manual_seed(3)
    return model.denoiser.tell(
        Conditions(
            planes=torch.rand(1, 3, 64, 64),
            prompts=("a fingerprint",),
            style=torch.rand(1, 1, 3, 128, 128),
            styled=torch.full((1, 1), styled),
            **scales,
        )
    )


@torch.no_grad()
def test_a_style_counts_as_far_as_it_is_to_act(model):
    none, half, whole, more = (code_of(told_of(model, True, style_scale=s)) for s in (0.0, 0.5, 1.0, 1.5))
    assert torch.equal(none, code_of(told_of(model, False)))
    assert torch.allclose(none + (whole - none) / 2, half, atol=1e-6)
    assert torch.equal(whole, more) and not torch.allclose(none, whole, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize(("control_scale", "share"), [(0.0, 0), (0.5, 0.5), (1.0, 1), (1.7, 1)])
def test_it_acts_as_far_as_the_planes_do(model, control_scale, share):
    told = told_of(model, control_scale=control_scale)
    finisher = Finisher(Shape(planes=3, code=code_of(told).shape[1], widths=(8, 16), stir=1.5))
    finisher.out.weight.normal_()
    picture, noise = torch.zeros(1, 1, 64, 64), torch.randn(1, 1, 64, 64)
    ended = finished(replace(model, finisher=finisher), told, picture, noise)
    whole = finisher(picture, told.planes, 1.5 * noise, code_of(told))
    assert whole.std() > 0.1
    assert torch.allclose(ended, whole * share, atol=1e-6)
    assert torch.equal(finished(model, told, picture, noise), picture)


@torch.no_grad()
def test_shades_are_changed_slowly():
    """So much of what a plain network would change, far from the edges of a change that is the same everywhere."""
    finisher, (picture, planes, noise, code) = Finisher(SHAPE), material(1, 128)
    finisher.out.bias.fill_(1.0)
    assert torch.allclose(finisher(picture, planes, noise, code) - picture, torch.tensor(SLOWLY), atol=1e-6)


def test_columns_of_white_noise_are_noise_of_their_own():
    """Of unit variance, alike down a column and not across."""
    noise = torch.randn(4, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    run, whole = columns_of(noise)
    assert [float(x.std()) for x in (run, whole)] == pytest.approx([1, 1], abs=0.1)
    assert torch.equal(whole[..., :1, :], whole[..., -1:, :])
    assert float((run[..., 8:, :] * run[..., :-8, :]).mean()) > 0.6
    assert abs(float((run[..., 8:] * run[..., :-8]).mean())) < 0.05


def test_specks_of_white_noise_are_rare_and_apart():
    """One in 215 of a normal distribution is 2.6 deviations above its mean, whatever its neighbours are."""
    noise = torch.randn(4, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    single, dots = specks_of(noise)
    assert float(single.mean()) == pytest.approx(1 / 215, rel=0.1) and set(single.unique().tolist()) == {0, 1}
    assert float(single[..., 1:].mul(single[..., :-1]).mean()) < 1e-4
    assert set(dots.unique().tolist()) == {0, 1} and dots.shape == noise.shape
    left, right, up, down = dots[..., :-2], dots[..., 2:], dots[..., :-2, :], dots[..., 2:, :]
    inside = dots[..., 1:-1, 1:-1].bool()
    beside = (left + right)[..., 1:-1, :] > 0
    above = (up + down)[..., 1:-1] > 0
    assert bool((beside & above)[inside].all())  # no dot is narrower than two pixels


@torch.no_grad()
def test_what_a_finisher_is_shown_is_kept(tmp_path):
    shape = replace(SHAPE, columns=True, specks=True, stir=1.25)
    save_finisher(tmp_path, taught(shape))
    loaded, shown = load_finisher(tmp_path, "cpu", torch.float32), material(shape=shape)
    assert loaded.shape == shape
    assert torch.allclose(loaded(*shown), taught(shape)(*shown), atol=1e-2)
    assert not torch.allclose(loaded(*shown), taught()(*shown), atol=1e-2)
