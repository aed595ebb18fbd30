"""The pictures of a training run: the same images of the bank, sampled again whenever asked."""

import torch
from torch import Tensor

from fpsynth.conditioning.conditions import Conditions
from fpsynth.conditioning.prompt import prompt_text
from fpsynth.diffusion.codec import Codec
from fpsynth.diffusion.denoiser import Denoiser
from fpsynth.diffusion.denoiser.guidance import predictor
from fpsynth.diffusion.samplers import make_course, sampler_of
from fpsynth.training.batches import Batch, Crop, draw_styles, gather, words_of
from fpsynth.training.data import SIZE, LatentBank
from fpsynth.training.denoiser.lessons import Lessons
from fpsynth.training.loop import step_generator

IMAGES = 4


class Preview:
    """Whole images; prompt, planes, style and noise are always the same."""

    def __init__(self, lessons: Lessons, codec: Codec, sampler: str = "ddim", steps: int = 8) -> None:
        self._schedule, self._codec, self._name, self._steps = lessons.schedule, codec, sampler, steps
        self._batch = _batch(lessons.source, lessons.planes)

    @torch.no_grad()
    def __call__(self, denoiser: Denoiser) -> Tensor:
        """(2 N, 1, H, W) in [-1, 1]: every image, and on its right what the denoiser makes of its conditions."""
        sampler, device = sampler_of(self._name), denoiser.device
        course = make_course(self._name, sampler, self._schedule, self._steps, device=str(device))
        start, *injected = (self._noise(k).to(device) for k in range(1 + self._steps))
        z = sampler.sample(predictor(denoiser, self._batch.conditions), start, injected.__getitem__, course)
        pairs = [self._codec.sketch(latents).clamp(-1, 1) for latents in (self._batch.latents, z.cpu())]
        return torch.stack(pairs, 1).flatten(0, 1)

    def _noise(self, k: int) -> Tensor:
        return torch.randn(self._batch.latents.shape, generator=step_generator(1, k))


def _batch(source: LatentBank, planes: tuple[str, ...]) -> Batch:
    """Images that are spread over the bank, with all their conditions."""
    stride = max(len(source.bank) // IMAGES, 1)
    crops = [Crop((i * stride) % len(source.bank), False, 0, 0) for i in range(IMAGES)]
    prompts = tuple(prompt_text(words_of(source.bank.labels[c.index], False)) for c in crops)
    latents, shown = gather(source, crops, SIZE, planes)
    style = draw_styles(source, crops, step_generator(1, 1))[:, None]
    styled = torch.ones(IMAGES, 1, dtype=torch.bool)
    return Batch(latents, Conditions(planes=shown, prompts=prompts, style=style, styled=styled))
