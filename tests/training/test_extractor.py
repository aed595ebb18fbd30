"""The extractor stage on waves, dark on light ground."""

import pytest
import torch

from fpsynth.errors import UserError
from fpsynth.extractor.network import WEIGHTS, load_network
from fpsynth.training.data import Bank, add_images
from fpsynth.training.extractor import ExtractorSettings, run_extractor
from tests.training.tiny import QUIET, Cut, cut_at, loop, waves


@pytest.fixture(scope="module")
def ridges(home):
    """Waves of which all are dark where the plane says ridge, and the upper half of each image touches nothing."""
    images, planes, labels = waves()
    light = torch.arange(len(images)) >= 32
    shown = torch.where(light[:, None, None], 255 - images, images)
    shown[:, :256] = 200
    planes["contact"][:, :256] = 0
    planes["ridge"][:, :256] = 128
    add_images(home / "ridges", shown, planes, labels)
    return Bank(home / "ridges")


def settings(plan, **changes):
    return ExtractorSettings(stage="extractor", crop=64, loop=plan, **changes)


def test_a_short_run_sees_ridges_and_where_skin_touches(home, ridges):
    run_extractor(settings(loop(80, batch=8, learning_rate=4e-3)), ridges, home / "extractor", "cpu", QUIET)
    network = load_network(home / "extractor" / "extractor")
    index = range(0, len(ridges), 8)
    with torch.inference_mode():
        said = network(torch.stack([ridges.image(i) for i in index])[:, None].float()) > 0
    true = torch.stack([ridges.planes_crop(i, 0, 0, 512, ("ridge", "contact")) for i in index]) > 128
    assert (said == true)[:, 0, 270:].float().mean() > 0.85
    assert (said == true)[:, 1].float().mean() > 0.9


def test_a_run_that_was_cut_ends_with_the_same_network(ridges, tmp_path):
    run_extractor(settings(loop(3, log_every=1)), ridges, tmp_path / "whole", "cpu", QUIET)
    often = settings(loop(3, log_every=1, checkpoint_minutes=1e-9))
    with pytest.raises(Cut):
        run_extractor(often, ridges, tmp_path / "cut", "cpu", cut_at(2))
    run_extractor(often, ridges, tmp_path / "cut", "cpu", QUIET)
    whole, cut = (tmp_path / run / "extractor" / WEIGHTS for run in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()


def test_a_bank_without_ridges_is_refused(tmp_path):
    images, planes, labels = waves()
    add_images(tmp_path / "bare", images, {"contact": planes["contact"]}, labels)
    with pytest.raises(UserError, match="no plane 'ridge'"):
        run_extractor(settings(loop(1)), Bank(tmp_path / "bare"), tmp_path / "out", "cpu", QUIET)
