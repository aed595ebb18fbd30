"""What the image encoder learns: which device made a picture, whatever finger it shows.

Of the denoiser's loss alone an encoder that begins from nothing learns to say the same of every picture. So it learns
from pairs of pictures of one device, and the adapter takes what it says as given, as IP-Adapter (Ye et al. 2023) takes
CLIP's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fpsynth.diffusion.denoiser.unet.adapter import embeds_of
from fpsynth.training.batches import shown
from fpsynth.training.contrastive import contrastive
from fpsynth.training.data import Images
from fpsynth.training.loop import Learner, step_generator

PAIRS = 32
TEMPERATURE = 0.1


def look_learners(parts: Mapping[str, nn.Module], images: Images, seed: int) -> list[Learner]:
    """The image encoder of a denoiser's parts, if it has one. Every other step will do."""
    if "image_encoder" not in parts:
        return []
    encoder = parts["image_encoder"]
    return [Learner(modules={"image_encoder": encoder}, loss=Looks(encoder, images, seed).loss, name="looks", every=2)]


@dataclass(frozen=True)
class Looks:
    """encoder: pixels (B, 3, 128, 128) to `image_embeds`; images: a bank; seed: of the draws."""

    encoder: Any
    images: Images
    seed: int

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        """The contrastive loss of a step's pictures by device, and how many stand nearest to one of their own."""
        generator = step_generator(self.seed, step)
        first = torch.randint(len(self.images), (PAIRS,), generator=generator).tolist()
        index = first + [self.images.partner(i, generator) for i in first]
        mirrored = (torch.rand(len(index), generator=generator) < 0.5).tolist()
        pixels = torch.stack([shown(self.images, i, m) for i, m in zip(index, mirrored, strict=True)])
        vectors = F.normalize(embeds_of(self.encoder, pixels.to(device, dtype)).float(), dim=1)
        loss, right = contrastive(vectors, self._devices(index, device), TEMPERATURE)
        return loss, {"right": right}

    def _devices(self, index: list[int], device: torch.device) -> Tensor:
        """Whole numbers, one for each device."""
        seeds = [self.images.labels[i].device for i in index]
        return torch.tensor([seeds.index(seed) for seed in seeds], device=device)
