"""Writes a linear block transform into the weights of a diffusers AutoencoderKL encoder, exactly.

The encoder's layers are made to do nothing but this:
- every residual block passes its input on (its second convolution is zero, its shortcut an embedding);
- a downsampling convolution, 3x3 with stride 2 over an input padded on the right and below, gathers the four pixels of
  its cell into four channels; the last one applies the block transform to them at once;
- the norm before the output sees every latent x as a pair of channels (x, -x) beside constants +-K. The pair adds
  nothing to a group's mean, and K is so large that x adds nothing to its variance, so the norm is a fixed scaling,
  which its weight undoes;
- silu(x) - silu(-x) = x, so the output convolution gets x back from the pair.
"""

import copy
import math
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import Encoder
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from fpsynth.diffusion.codec.block_transform import BlockTransform
from fpsynth.errors import UserError

CONSTANT = 256.0
"""K: a latent of size 1 moves the norm's scale by about 1 / K^2."""
LOG_VARIANCE = -30.0
"""Of the posterior: sampling it gives its mean."""


def write_encoder(vae: AutoencoderKL, transform: BlockTransform) -> None:
    """Set the encoder's weights. Raises UserError where the encoder's shape cannot hold the transform."""
    _check(vae)
    encoder, convs = vae.encoder, _downsampling(vae.encoder)
    if transform.factor != 2 ** len(convs) or 2 * len(transform.analysis) != encoder.conv_out.out_channels:
        raise UserError(
            f"this autoencoder has not {transform.factor} pixels a cell, {len(transform.analysis)} channels"
        )
    _write(encoder, transform)


def read_encoder(vae: AutoencoderKL) -> BlockTransform | None:
    """The transform that write_encoder wrote, in float32 or rounded to float16; None where the encoder is another."""
    try:
        _check(vae)
    except UserError:
        return None
    transform = _read_transform(vae.encoder)
    twin = copy.deepcopy(vae.encoder)
    _write(twin, transform)
    pairs = zip(twin.parameters(), vae.encoder.parameters(), strict=True)
    return transform if all(torch.allclose(ours, theirs, rtol=1e-3, atol=1e-6) for ours, theirs in pairs) else None


def _check(vae: AutoencoderKL) -> None:
    """Raises UserError unless the encoder has room for the pixels of a cell and for pairs and constants."""
    encoder, config = vae.encoder, vae.config
    convs = _downsampling(encoder)
    if encoder.mid_block.attentions[0] is not None or vae.quant_conv is not None or vae.post_quant_conv is not None:
        raise UserError("the autoencoder must have no attention and no quant convolutions")
    if config.in_channels != 1 or not convs:
        raise UserError("the autoencoder must take one channel and have two levels or more")
    if any(conv.in_channels < 4**level for level, conv in enumerate(convs)) or convs[-1].out_channels < _latents(
        encoder
    ):
        raise UserError("block_out_channels must be at least 1, 4, 16, ..., and the last but one the latent channels")
    widths = config.block_out_channels
    size = widths[-1] // config.norm_num_groups
    if widths[-1] <= widths[-2] or size % 2 or size < _pairs_a_group(encoder) * 2 + 2:
        raise UserError("the last of block_out_channels must exceed the one before and have room for pairs of latents")


def _latents(encoder: Encoder) -> int:
    return encoder.conv_out.out_channels // 2


def _pairs_a_group(encoder: Encoder) -> int:
    return math.ceil(_latents(encoder) / encoder.conv_norm_out.num_groups)


def _downsampling(encoder: Encoder) -> list[nn.Conv2d]:
    return [block.downsamplers[0].conv for block in _levels(encoder) if block.downsamplers]


def _levels(encoder: Encoder) -> list[Any]:
    """The down blocks: diffusers keeps them, and what is in them, in lists of plain modules."""
    return list(encoder.down_blocks)


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


@torch.no_grad()
def _write(encoder: Encoder, transform: BlockTransform) -> None:
    for weight in encoder.parameters():
        weight.zero_()
    encoder.conv_in.weight[0, 0, 1, 1] = 1
    for block in _levels(encoder):
        for resnet in block.resnets:
            _pass_on(resnet)
    *gathering, last = _downsampling(encoder)
    for level, conv in enumerate(gathering):
        _set_cells(conv, torch.eye(4 ** (level + 1)))
    _set_cells(last, transform.analysis[:, _order(transform.factor)])
    _bias(last)[: len(transform.analysis)] = -(transform.analysis @ transform.mean)
    _write_pairs(encoder)


def _pass_on(resnet: ResnetBlock2D) -> None:
    """Input to output, channel by channel; channels beyond the input's are 0."""
    if resnet.conv_shortcut is not None:
        kept = min(resnet.conv_shortcut.weight.shape[:2])
        resnet.conv_shortcut.weight[:kept, :kept, 0, 0] = torch.eye(kept)


def _set_cells(conv: nn.Conv2d, matrix: Tensor) -> None:
    """conv of a 2x2 cell: matrix (out, 4 in) acts on the cell's four pixels (row by row), all channels of each."""
    out, inputs = matrix.shape[0], matrix.shape[1] // 4
    conv.weight[:out, :inputs, :2, :2] = matrix.view(out, 2, 2, inputs).permute(0, 3, 1, 2)


def _order(factor: int) -> Tensor:
    """Which pixel of a block (row by row) each gathered channel holds, the last gathering included."""
    pixels = torch.arange(factor * factor).view(1, 1, factor, factor).float()
    while pixels.shape[-1] > 1:
        cells = pixels.unfold(2, 2, 2).unfold(3, 2, 2)
        pixels = cells.permute(0, 4, 5, 1, 2, 3).flatten(1, 3)
    return pixels.flatten().long()


def _write_pairs(encoder: Encoder) -> None:
    """Pairs and constants by the last block's first shortcut, the fixed norm, and the output that joins the pairs."""
    shortcut, norm, out = _levels(encoder)[-1].resnets[0].conv_shortcut, encoder.conv_norm_out, encoder.conv_out
    latents, pairs = _latents(encoder), _pairs_a_group(encoder)
    size = norm.num_channels // norm.num_groups
    shortcut.weight.zero_()
    shortcut.bias.view(norm.num_groups, size)[:, 2 * pairs :: 2] = CONSTANT
    shortcut.bias.view(norm.num_groups, size)[:, 2 * pairs + 1 :: 2] = -CONSTANT
    norm.weight.fill_(CONSTANT * math.sqrt((size - 2 * pairs) / size))
    for latent in range(latents):
        plus = latent // pairs * size + latent % pairs * 2
        shortcut.weight[plus, latent], shortcut.weight[plus + 1, latent] = 1, -1
        out.weight[latent, plus, 1, 1], out.weight[latent, plus + 1, 1, 1] = 1, -1
    _bias(out)[latents:] = LOG_VARIANCE


def _read_transform(encoder: Encoder) -> BlockTransform:
    """Undo _set_cells and _order. Of the mean only what the latents see is known, so it is the smallest such block."""
    last = _downsampling(encoder)[-1]
    factor, latents = 2 ** len(_downsampling(encoder)), _latents(encoder)
    cells = last.weight[:latents, : factor * factor // 4, :2, :2].detach().float().cpu()
    analysis = torch.zeros(latents, factor * factor)
    analysis[:, _order(factor)] = cells.permute(0, 2, 3, 1).reshape(latents, -1)
    mean = torch.linalg.pinv(analysis) @ -_bias(last)[:latents].detach().float().cpu()
    return BlockTransform(analysis, mean)
