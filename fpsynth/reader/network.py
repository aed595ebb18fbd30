"""The reader's network: an image that may be noisy, and how noisy it is -> a score for every word of every slot.

A noise-aware classifier, as guides the sampling of ADM (Dhariwal & Nichol, "Diffusion models beat GANs on image
synthesis", 2021), with one head a slot. It sees pixels, not latents, so that it reads finished images of any origin; a
noisy latent is shown to it as the codec sketches it. How noisy: the angle whose cosine and sine are the shares of image
and noise.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CELL = 4
"""Pixels along a side of the blocks that the first layer sees as one."""
MULTIPLE = 32
"""Pixels: sides of the images must be multiples of it."""
WIDTHS = (64, 128, 128)
GROUPS = 8
WAVES = 16
"""Sines and cosines by which the noise is told."""


class Told(nn.Module):
    """Scale and shift of the channels by how noisy the image is (Perez et al., FiLM, 2018)."""

    def __init__(self, told: int, width: int) -> None:
        super().__init__()
        self.both = nn.Linear(told, 2 * width)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.both(told)[:, :, None, None].chunk(2, 1)
        out: Tensor = x * (1 + scale) + shift
        return out


class Block(nn.Module):
    """Two normalised convolutions around which the input passes, told of the noise in between."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)
        self.before, self.between = nn.GroupNorm(GROUPS, width), nn.GroupNorm(GROUPS, width)
        self.told = Told(told, width)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        inner = self.first(F.silu(self.before(x)))
        out: Tensor = x + self.second(F.silu(self.told(self.between(inner), told)))
        return out


class ReaderNetwork(nn.Module):
    """words: slot -> its words, in the order of the scores.

    At three scales the means and deviations of the channels over the image are kept: what a texture is, and how much of
    the image has it.
    """

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.sizes = {slot: len(own) for slot, own in words.items()}
        told = 4 * WAVES
        self.noise = nn.Sequential(nn.Linear(2 * WAVES, told), nn.SiLU())
        entering = [CELL * CELL, *WIDTHS[:-1]]
        self.downs = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1) for i, o in zip(entering, WIDTHS, strict=True))
        self.blocks = nn.ModuleList(Block(width, told) for width in WIDTHS)
        self.head = nn.Linear(2 * sum(WIDTHS), sum(self.sizes.values()))

    def forward(self, images: Tensor, angle: Tensor) -> dict[str, Tensor]:
        """images (B, 1, H, W) in about [-1, 1], angle (B,) radians, 0 for a clean image -> slot -> scores (B, words).

        The softmax of the scores is the probability of the words.
        """
        dtype = self.head.weight.dtype
        told, seen = self.noise(_waves(angle).to(dtype)), []
        x = F.pixel_unshuffle(images.to(dtype), CELL).contiguous(memory_format=torch.channels_last)
        for down, block in zip(self.downs, self.blocks, strict=True):
            x = block(down(x), told)
            seen += [x.mean((2, 3)), x.float().std((2, 3), unbiased=False).to(dtype)]
        scores = self.head(torch.cat(seen, 1)).float().split(list(self.sizes.values()), 1)
        return dict(zip(self.sizes, scores, strict=True))


def _waves(angle: Tensor) -> Tensor:
    """(B,) -> (B, 2 WAVES)."""
    turns = angle.float()[:, None] * torch.arange(1, WAVES + 1, device=angle.device)
    return torch.cat([turns.sin(), turns.cos()], 1)
