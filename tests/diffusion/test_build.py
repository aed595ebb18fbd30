"""What a new denoiser begins with."""

import pytest
import torch

from fpsynth.diffusion.denoiser.unet import UnetSettings
from fpsynth.diffusion.denoiser.unet.build import build_controlnet, build_unet, gather_cells
from fpsynth.errors import UserError

SMALL = UnetSettings(widths=(32, 64), context=64)


def embedding(planes, factor, widths=None):
    unet = build_unet(SMALL, 4, 64)
    made = build_controlnet(unet, factor, planes, widths).controlnet_cond_embedding
    gather_cells(made)
    return made


@torch.no_grad()
def before_the_last(made, planes):
    """What its last convolution is given."""
    x = torch.nn.functional.silu(made.conv_in(planes))
    for block in made.blocks:
        x = torch.nn.functional.silu(block(x))
    return x


@pytest.mark.parametrize(("planes", "factor", "widths"), [(1, 8, None), (3, 8, (4, 16, 64, 192)), (2, 4, None)])
def test_every_pixel_of_every_plane_has_a_channel_of_its_own(planes, factor, widths):
    torch.manual_seed(0)
    made, seen = embedding(planes, factor, widths), set()
    quiet = torch.full((1, planes, 2 * factor, 2 * factor), 0.4)
    still = before_the_last(made, quiet)
    for plane in range(planes):
        for place in range(factor * factor):
            bright = quiet.clone()
            bright[0, plane, factor + place // factor, factor + place % factor] = 0.9
            change = before_the_last(made, bright) - still
            (channel,) = change[0, : planes * factor**2, 1, 1].abs().gt(1e-4).nonzero()[:, 0].tolist()
            assert change[0, channel, 1, 1] > 0 and change[0, channel, 0, 0].abs() < 1e-6
            seen.add(channel)
    assert len(seen) == planes * factor**2


def test_channels_that_are_too_few_are_left_as_they_are():
    assert embedding(3, 8, (4, 8, 16, 32)).blocks[-1].weight.std() > 0


def test_a_wrong_number_of_widths_is_refused():
    with pytest.raises(UserError, match="control_widths wants 4 numbers for 8 pixels"):
        embedding(3, 8, (4, 16))
