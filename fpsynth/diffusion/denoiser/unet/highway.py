"""A start from which a U-Net that predicts the clean latent says: the noisy one.

Under little noise that is nearly right, and a network that has to learn to copy 64 channels through its norms and
activations stays far from it for long: its error has a floor, which blurs every image that it ends. So each latent x
goes in as a pair of channels (x, -x), over the first skip connection, around the last residual block, and out again:
silu(x) - silu(-x) = x, and constants +-K beside the pairs, which the last norm's weight then takes out, make that norm
a fixed scaling (see fpsynth.diffusion.codec.closed_form). All weights learn on from there.

Beside them goes the first latent's difference from its neighbours. Where an image is plain, that is all that smooths
it; a network that had to find it by itself would have to weigh neighbours to a thousandth of their size.
"""

import math

import torch
from diffusers import UNet2DConditionModel

CONSTANT = 128.0
"""K: a latent of size 1 moves the last norm's scale by about 1 / K^2."""


@torch.no_grad()
def open_highway(unet: UNet2DConditionModel) -> bool:
    """Set the weights. False, with nothing done, where the first level attends or has no room for the pairs."""
    latents, width, groups = unet.config.in_channels, unet.config.block_out_channels[0], unet.config.norm_num_groups
    size, pairs = width // groups, math.ceil(latents / groups)
    if size < 2 * pairs + 2 or hasattr(unet.up_blocks[-1], "attentions"):
        return False
    plus = torch.tensor([i // pairs * size + i % pairs * 2 for i in range(latents)])
    used = torch.zeros(width, dtype=torch.bool).index_fill_(0, torch.cat([plus, plus + 1]), True)
    _pass_in(unet, plus)
    _pass_difference(unet, width - (size - 2 * pairs))
    _pass_around(unet, used, groups, size - 2 * pairs)
    _pass_out(unet, plus, used, (size - 2 * pairs) / size)
    return True


def _pass_in(unet: UNet2DConditionModel, plus: torch.Tensor) -> None:
    """conv_in: x and -x in the channels `plus` and one more."""
    for sign, channels in ((1.0, plus), (-1.0, plus + 1)):
        unet.conv_in.weight[channels] = 0
        unet.conv_in.bias[channels] = 0
        unet.conv_in.weight[channels, torch.arange(len(plus)), 1, 1] = sign


def _pass_difference(unet: UNet2DConditionModel, channel: int) -> None:
    """conv_in: the first latent less the mean of the eight around it, as a pair too, in the finest ones' group."""
    kernel = torch.full((3, 3), -1 / 8)
    kernel[1, 1] = 1
    for sign, at in ((1.0, channel), (-1.0, channel + 1)):
        unet.conv_in.weight[at] = 0
        unet.conv_in.bias[at] = 0
        unet.conv_in.weight[at, 0] = sign * kernel


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
