"""The linear transform that the encoder is: principal components of square blocks of pixels, partly whitened."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

WHITENING = 0.5
"""A component of standard deviation s is divided by s ** WHITENING: 0 keeps their sizes, 1 makes all equal."""


@dataclass(frozen=True)
class BlockPCA:
    """Latents of a block x of pixels: analysis @ (x - mean).

    analysis  (k, f * f) float32; a block is read row by row
    mean      (f * f,) float32, the mean block
    """

    analysis: Tensor
    mean: Tensor

    @property
    def factor(self) -> int:
        """Pixels along a block's side."""
        side: float = self.mean.numel() ** 0.5
        return round(side)

    def encode(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, k, H / f, W / f)."""
        f = self.factor
        kernel = self.analysis.view(-1, 1, f, f).to(images.device)
        return F.conv2d(images, kernel, -(self.analysis @ self.mean).to(images.device), stride=f)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, k, h, w) -> (B, 1, h f, w f): the least-squares inverse of encode."""
        inverse = torch.linalg.pinv(self.analysis)
        pixels = torch.einsum("pk,bkhw->bphw", inverse, latents) + self.mean[None, :, None, None]
        return F.pixel_shuffle(pixels, self.factor)


def fit_block_pca(images: Tensor, factor: int, channels: int) -> BlockPCA:
    """The leading components of the images' blocks, partly whitened; all latents together have standard deviation 1.

    images: (N, 1, H, W) in [-1, 1]. Signs are settled (the largest weight is positive), so that equal images give
    equal transforms.
    """
    blocks = F.pixel_unshuffle(images, factor).permute(0, 2, 3, 1).reshape(-1, factor * factor).double()
    mean = blocks.mean(0)
    variances, vectors = torch.linalg.eigh((blocks - mean).T @ (blocks - mean) / len(blocks))
    deviation = variances.flip(0)[:channels].clamp_min(1e-12).sqrt()
    components = vectors.flip(1)[:, :channels].T
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))
    sizes = deviation ** (1 - WHITENING)
    scale = deviation**-WHITENING / sizes.square().mean().sqrt()
    return BlockPCA((components * largest.sign() * scale[:, None]).float(), mean.float())
