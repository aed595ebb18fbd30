"""The linear transform that an encoder is: of square blocks of pixels, each by itself.

Either all 64 coefficients of the cosine transform of 8 x 8 blocks, from which the pixels come back exactly, or the
leading principal components of smaller blocks.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

WHITENING = 0.5
"""A component of standard deviation s is divided by s ** WHITENING: 0 keeps their sizes, 1 makes all equal."""
MEAN, DEVIATION = 0.28, 0.56
"""Of the pixels of prints in [-1, 1], background included: what the cosine transform takes away and divides by."""


@dataclass(frozen=True)
class BlockTransform:
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

    @cached_property
    def inverse(self) -> Tensor:
        """(f * f, k): the least-squares one, of use to gradients too wherever it was first asked for."""
        with torch.inference_mode(False):
            inverse: Tensor = torch.linalg.pinv(self.analysis)
        return inverse

    @cached_property
    def lossless(self) -> bool:
        """Whether the pixels come back exactly, and white noise stays white: a turn of the pixels' space, scaled."""
        gram = self.analysis @ self.analysis.T
        whole = len(gram) == self.mean.numel()
        return whole and torch.allclose(gram / gram[0, 0], torch.eye(len(gram)), atol=0.01)

    def encode(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, k, H / f, W / f)."""
        f = self.factor
        kernel = self.analysis.view(-1, 1, f, f).to(images.device)
        return F.conv2d(images, kernel, -(self.analysis @ self.mean).to(images.device), stride=f)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, k, h, w) -> (B, 1, h f, w f): the least-squares inverse of encode."""
        inverse, mean = self.inverse.to(latents.device), self.mean.to(latents.device)
        pixels = torch.einsum("pk,bkhw->bphw", inverse, latents) + mean[None, :, None, None]
        return F.pixel_shuffle(pixels, self.factor)

    def turn(self, noise: Tensor) -> Tensor:
        """White noise on pixels (B, 1, H, W) -> white noise of a lossless transform's latents (B, k, h, w)."""
        f = self.factor
        size = self.analysis.square().sum(1).mean().sqrt()
        return F.conv2d(noise, (self.analysis / size).view(-1, 1, f, f), stride=f)


def block_dct(factor: int, mean: float = MEAN, deviation: float = DEVIATION) -> BlockTransform:
    """The orthonormal cosine transform of blocks (DCT-II; Ahmed, Natarajan & Rao 1974; JPEG's, for blocks of 8).

    Coefficients in the order of their frequencies, the block's mean first. Latents of prints have a mean square of
    about 1; ridges and background keep their own sizes, so that equal noise hides what is small first.
    """
    k, n = torch.arange(factor, dtype=torch.float64)[:, None], torch.arange(factor, dtype=torch.float64)
    rows = (math.pi * (n + 0.5) * k / factor).cos() * (2 / factor) ** 0.5
    rows[0] /= 2**0.5
    order = sorted(range(factor * factor), key=lambda i: (i // factor + i % factor, i // factor))
    analysis = torch.kron(rows, rows)[order] / deviation
    return BlockTransform(analysis.float(), torch.full((factor * factor,), mean))


def block_pca(images: Tensor, factor: int, channels: int) -> BlockTransform:
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
    return BlockTransform((components * largest.sign() * scale[:, None]).float(), mean.float())
