"""Pictures of twice the resolution: what must be true of any network."""

import pytest
import torch
import torch.nn.functional as F

from fpsynth.diffusion.upscale import CRISP, MARGIN, TILE, new_upscaler, upscaled, upscaled_whole


@pytest.fixture
def network():
    """One whose every weight says something."""
    torch.manual_seed(0)
    made = new_upscaler().requires_grad_(False)
    for parameter in made.parameters():
        parameter.add_(0.02 * torch.randn(parameter.shape))
    return made


def test_four_new_pixels_are_in_the_mean_the_old_one(network):
    picture, noise = torch.rand(2, 1, 32, 24) * 2 - 1, torch.randn(2, 1, 64, 48)
    fine = upscaled(network, picture, noise)
    assert fine.shape == noise.shape
    assert torch.allclose(F.avg_pool2d(fine, 2), picture, atol=1e-5)
    assert (fine - F.interpolate(picture, scale_factor=2.0)).abs().mean() > 0.01


def test_tiles_do_not_show(network):
    height, width = TILE + MARGIN + 33, 51
    picture, noise = torch.rand(1, 1, height, width) * 2 - 1, torch.randn(1, 1, 2 * height, 2 * width)
    tiled = upscaled_whole(network, picture, noise)
    even = F.pad(picture, (0, 1, 0, 1), mode="replicate"), F.pad(noise, (0, 2, 0, 2), mode="replicate")
    assert tiled.shape == noise.shape
    assert (tiled - upscaled(network, *even, CRISP)[:, :, : 2 * height, : 2 * width]).abs().max() < 2 / 255
