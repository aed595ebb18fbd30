"""The upscaler stage on waves."""

import json

import pytest
import torch

from fpsynth.diffusion.upscale import new_upscaler
from fpsynth.training.data import Bank, BankSettings, add_images
from fpsynth.training.upscaler import UpscalerSettings, run_upscaler
from tests.training.tiny import QUIET, Cut, cut_at, loop, waves

FILES = ("diffusion_pytorch_model.safetensors", "config.json")


def settings(plan, **changes):
    return UpscalerSettings(stage="upscaler", crop=64, loop=plan, **changes)


@pytest.mark.slow
def test_a_short_run_comes_nearer_to_the_bank(tmp_path):
    """Waves too short for interpolation, of which half the resolution still knows."""
    images, planes, labels = waves()
    x = torch.arange(512) + torch.arange(64)[:, None]
    images[:] = (128 + 100 * torch.sin(x * 2 * torch.pi / 4.4))[:, None].to(torch.uint8)
    add_images(tmp_path / "fine", images, planes, labels)
    run_upscaler(settings(loop(60, batch=8), alone=50), Bank(tmp_path / "fine"), tmp_path, "cpu", QUIET)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["away"] < 0.7 * lines[0]["away"]
    assert {"critic_apart", "verdict"} <= set(lines[-1])


def test_a_run_that_was_cut_ends_with_the_same_upscaler(bank, tmp_path):
    run_upscaler(settings(loop(3, log_every=1)), bank, tmp_path / "whole", "cpu", QUIET)
    often = settings(loop(3, log_every=1, checkpoint_minutes=1e-9))
    with pytest.raises(Cut):
        run_upscaler(often, bank, tmp_path / "cut", "cpu", cut_at(2))
    run_upscaler(often, bank, tmp_path / "cut", "cpu", QUIET)
    for name in FILES:
        assert (tmp_path / "whole/upscaler" / name).read_bytes() == (tmp_path / "cut/upscaler" / name).read_bytes()


def test_banks_of_the_usual_resolution_are_what_they_were():
    """They say nothing of it, so that those on disk still are taken."""
    assert "ppi" not in BankSettings().content()
    assert BankSettings(ppi=1000).content()["ppi"] == 1000


def test_it_begins_by_interpolating():
    assert new_upscaler().out.weight.abs().max() == 0
