"""Guidance towards, or away from, a given print in the embedding.

The wanted image is taken to lie about the print as von Mises and Fisher have it: log p = concentration x cosine + a
constant. The gradient is taken at the clean estimate, with no pass back through the denoiser (He et al.,
"Manifold preserving guided diffusion", 2023).
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.diffusion.codec import Codec
from fpsynth.embedding.embedder import Embedder, middle
from fpsynth.embedding.network import SIZE, WINDOW
from fpsynth.extractor.contrast import normalised

UNIT = 1000.0
"""Concentration of strength 1."""


@dataclass(frozen=True)
class Match:
    """print (size,): unit vector of the print; strength: below 0 away from it. Images are drawn at 500 ppi."""

    embedder: Embedder
    codec: Codec
    print: Tensor
    strength: float

    def __call__(self, z: Tensor, x0: Tensor, t: Tensor) -> Tensor:
        """The gradient (B, C, h, w) at the clean estimate x0."""
        with torch.inference_mode(False), torch.enable_grad():
            free = x0.detach().clone().requires_grad_()
            total = self._cosines(self.codec.sketch(free)).sum()
            gradient: Tensor = torch.autograd.grad(total, free)[0]
        return UNIT * self.strength * gradient

    def _cosines(self, pictures: Tensor) -> Tensor:
        """(B,) of pictures (B, 1, H, W) in [-1, 1]."""
        identity, _ = self.embedder.network(_placed((pictures + 1) * 127.5))
        cosines: Tensor = identity @ self.print.clone().to(identity)
        return cosines

    def cosine(self, image: np.ndarray, ppi: float) -> float:
        """How alike the print a finished image is, -1 to 1."""
        return float(self.embedder.describe([image], ppi).identity[0] @ self.print.numpy())


def match_of(embedder: Embedder, codec: Codec, image: np.ndarray, strength: float) -> Match:
    """image: the print at 500 ppi, (H, W) uint8."""
    return Match(embedder, codec, torch.from_numpy(embedder.describe([image]).identity[0]), strength)


def _placed(grey: Tensor) -> Tensor:
    """As embedder.placed but for half a pixel, at 500 ppi and with gradients: (B, 1, H, W) -> (B, 1, 256, 256)."""
    even = F.pad(normalised(F.avg_pool2d(grey, 2), WINDOW), (SIZE // 2,) * 4)
    inside = even[..., SIZE // 2 : -SIZE // 2, SIZE // 2 : -SIZE // 2]
    corners = [middle(one[0].detach().cpu().numpy()) for one in inside]
    cut = [one[:, int(y) : int(y) + SIZE, int(x) : int(x) + SIZE] for one, (x, y) in zip(even, corners, strict=True)]
    return torch.stack(cut)
