"""A start from which a U-Net that predicts the clean latent says: the noisy one.

Under little noise that is nearly right, and a network that has to learn to copy 64 channels through its norms and
activations stays far from it for long: its error has a floor, which blurs every image that it ends. So each latent x
goes in as a pair of channels (x, -x), over the first skip connection, around the last residual block, and out again:
silu(x) - silu(-x) = x, and constants +-K beside the pairs, which the last norm's weight then takes out, make that norm
a fixed scaling (see fpsynth.diffusion.codec.closed_form). All weights learn on from there.

Beside them go the first latent's differences from its neighbours, near and far. Where an image is plain, that is all
that smooths it; a network that had to find it by itself would have to weigh neighbours to a thousandth of their size.
For the far ones the first convolution is widened.
"""

import math

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import nn

NEIGHBOURS = (3, 7)
"""Cells along a side of the squares whose means the first latent is compared with."""
MIDDLE = max(NEIGHBOURS) // 2
CONSTANT = 128.0
"""K: a latent of size 1 moves the last norm's scale by about 1 / K^2."""


@torch.no_grad()
def open_highway(unet: UNet2DConditionModel) -> bool:
    """Set the weights. False, with nothing done, where the first level attends or has no room for the pairs."""
    latents, width, groups = unet.config.in_channels, unet.config.block_out_channels[0], unet.config.norm_num_groups
    size, pairs = width // groups, math.ceil(latents / groups)
    if size < 2 * pairs + 2 * len(NEIGHBOURS) or hasattr(unet.up_blocks[-1], "attentions"):
        return False
    plus = torch.tensor([i // pairs * size + i % pairs * 2 for i in range(latents)])
    used = torch.zeros(width, dtype=torch.bool).index_fill_(0, torch.cat([plus, plus + 1]), True)
    _widen(unet, max(NEIGHBOURS))
    _pass_in(unet, plus)
    _pass_differences(unet, width - (size - 2 * pairs))
    _pass_around(unet, used, groups, size - 2 * pairs)
    _pass_out(unet, plus, used, (size - 2 * pairs) / size)
    return True


def _widen(unet: UNet2DConditionModel, side: int) -> None:
    """A first convolution of side x side that does what the one before did."""
    before: nn.Conv2d = unet.conv_in
    wide = nn.Conv2d(before.in_channels, before.out_channels, side, padding=side // 2)
    more = (side - before.kernel_size[0]) // 2
    wide.load_state_dict({"weight": F.pad(before.weight, (more, more, more, more)), "bias": before.bias})
    unet.conv_in = wide
    unet.register_to_config(conv_in_kernel=side)


def _pass_in(unet: UNet2DConditionModel, plus: torch.Tensor) -> None:
    """conv_in: x and -x in the channels `plus` and one more."""
    for sign, channels in ((1.0, plus), (-1.0, plus + 1)):
        unet.conv_in.weight[channels] = 0
        unet.conv_in.bias[channels] = 0
        unet.conv_in.weight[channels, torch.arange(len(plus)), MIDDLE, MIDDLE] = sign


def _pass_differences(unet: UNet2DConditionModel, channel: int) -> None:
    """conv_in: the first latent less the means of what is around it, as pairs too, in the finest ones' group."""
    for side in NEIGHBOURS:
        kernel, inside = torch.zeros(2 * MIDDLE + 1, 2 * MIDDLE + 1), slice(MIDDLE - side // 2, MIDDLE + side // 2 + 1)
        kernel[inside, inside] = -1 / (side**2 - 1)
        kernel[MIDDLE, MIDDLE] = 1
        for sign in (1.0, -1.0):
            unet.conv_in.weight[channel] = 0
            unet.conv_in.bias[channel] = 0
            unet.conv_in.weight[channel, 0] = sign * kernel
            channel += 1


def _pass_around(unet: UNet2DConditionModel, used: torch.Tensor, groups: int, constants: int) -> None:
    """The last residual block: its shortcut takes the skip connection's pairs, its bias the constants."""
    block = unet.up_blocks[-1].resnets[-1]
    width = len(used)
    block.conv2.weight.zero_()
    block.conv2.bias.zero_()
    shortcut = block.conv_shortcut
    shortcut.weight.zero_()
    shortcut.bias.zero_()
    channels = used.nonzero()[:, 0]
    shortcut.weight[channels, shortcut.in_channels - width + channels, 0, 0] = 1
    rest = (~used).nonzero()[:, 0].view(groups, -1)[:, : constants // 2 * 2]
    shortcut.bias[rest[:, ::2].flatten()] = CONSTANT
    shortcut.bias[rest[:, 1::2].flatten()] = -CONSTANT


def _pass_out(unet: UNet2DConditionModel, plus: torch.Tensor, used: torch.Tensor, share: float) -> None:
    """The last norm undoes its own scaling and silences the constants; conv_out joins the pairs."""
    norm, out = unet.conv_norm_out, unet.conv_out
    norm.weight.copy_(CONSTANT * math.sqrt(share) * used)
    norm.bias.zero_()
    out.weight.zero_()
    out.bias.zero_()
    latents = torch.arange(len(plus))
    out.weight[latents, plus, 1, 1] = 1
    out.weight[latents, plus + 1, 1, 1] = -1
