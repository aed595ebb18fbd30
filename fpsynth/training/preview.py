"""The pictures of a training run: the same images of the bank, sampled again whenever asked."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from fpsynth.conditioning.prompt import prompt_text
from fpsynth.training.autoencoder import decode
from fpsynth.training.batches import Batch, Crop, draw_styles, gather, words_of
from fpsynth.training.closed_form import read_encoder
from fpsynth.training.data import SIZE, LatentBank
from fpsynth.training.diffuse import Diffusion
from fpsynth.training.loop import step_generator
from fpsynth.training.network import Network

IMAGES = 4


def linear_decoder(vae: AutoencoderKL) -> Callable[[Tensor], Tensor]:
    """Latents to images by the least-squares inverse of a closed-form encoder: what the latents hold, no more.

    It needs no trained decoder. An encoder of any other kind gets its own decoder.
    """
    transform = read_encoder(vae)
    if transform is None:
        return lambda latents: decode(vae, latents)
    inverse = torch.linalg.pinv(transform.analysis)

    def blocks(latents: Tensor) -> Tensor:
        scaled = latents.float() / vae.config.scaling_factor
        pixels = torch.einsum("pk,bkhw->bphw", inverse, scaled) + transform.mean[None, :, None, None]
        return F.pixel_shuffle(pixels, transform.factor).clamp(-1, 1)

    return blocks


class Preview:
    """Whole images; prompt, planes, style and noise are always the same."""

    def __init__(self, source: LatentBank, diffusion: Diffusion, vae: AutoencoderKL, times: Tensor) -> None:
        """times: the falling times to sample at, such as 999, 759, 499, 259."""
        self._diffusion, self._decode, self._times = diffusion, linear_decoder(vae), times.tolist()
        stride = max(len(source.bank) // IMAGES, 1)
        crops = [Crop((i * stride) % len(source.bank), False, 0, 0) for i in range(IMAGES)]
        prompts = tuple(prompt_text(words_of(source.bank.labels[c.index], False)) for c in crops)
        kept = torch.ones(IMAGES, dtype=torch.bool)
        latents, planes = gather(source, crops, SIZE)
        style = draw_styles(source, crops, step_generator(1, 1))
        self._batch = Batch(latents, planes, style, prompts, kept, kept)
        self._noise = torch.randn(self._batch.latents.shape, generator=step_generator(1, 0))

    @torch.no_grad()
    def __call__(self, network: Network) -> Tensor:
        """(2 N, 1, H, W) in [-1, 1]: every image, and on its right what the network makes of its conditions."""
        words = network.words(self._batch)
        z = self._noise.to(network.device)
        for here, there in zip(self._times, [*self._times[1:], 0], strict=True):
            t, to = (torch.full((IMAGES,), time, device=z.device) for time in (here, there))
            v = network.velocity(z, t, words, network.control(z, t, words, self._batch))
            z = self._diffusion.jump(z, v, t, to)
        return torch.stack([self._decode(self._batch.latents), self._decode(z.cpu())], 1).flatten(0, 1)
