"""Learning to predict: the job of the denoiser and of the adapters stage."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fpsynth.diffusion.denoiser import Denoiser
from fpsynth.diffusion.denoiser.guidance import ask
from fpsynth.diffusion.schedule import stratified_times
from fpsynth.training.denoiser.lessons import Lessons
from fpsynth.training.denoiser.preview import Preview
from fpsynth.training.loop import Learner

BLOCKS: Mapping[int, float] = {1: 24.0, 4: 16.0, 16: 16.0}
"""Multiscale loss: the blocks' sides in latent pixels, and the weights of their means."""


class DenoiserJob:
    """Predict what the schedule asks for of noisy latents under planes, prompt and style."""

    def __init__(
        self,
        denoiser: Denoiser,
        learning: Mapping[str, nn.Module],
        lessons: Lessons,
        preview: Preview | None = None,
        beside: Sequence[Learner] = (),
    ) -> None:
        """beside: who learns at the same time, by losses of their own."""
        self._denoiser, self._lessons, self._preview = denoiser, lessons, preview
        self.learners = (Learner(modules=learning, loss=self.loss), *beside)

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        """Mean square of the error, multiscale where latents tell what is slow; and the error by amount of noise."""
        batch, noise, generator = self._lessons.draw(step)
        schedule = self._lessons.schedule
        t = stratified_times(generator, len(noise), schedule.steps)
        z, target = schedule.noisy(batch.latents, noise, t), schedule.target(batch.latents, noise, t)
        output = ask(self._denoiser, self._denoiser.tell(batch.conditions), z.to(device), t.to(device))
        error = schedule.as_velocity(output - target.to(device), t.to(device))
        each = error.detach().square().mean((1, 2, 3))
        loss = multiscale(error) if self._lessons.slow else error.square().mean()
        return loss, by_time(each.cpu(), t, schedule.steps)

    def grid(self) -> Tensor | None:
        """Pictures, where there is a preview."""
        return None if self._preview is None else self._preview(self._denoiser)


def multiscale(error: Tensor) -> Tensor:
    """Mean square of an error (B, C, h, w), and of the means of blocks, which its first channel holds.

    Coefficient by coefficient alone, what is slow in an image (background, shade) hardly counts beside the ridges and
    is learnt last (the multiscale loss of Hoogeboom et al., simple diffusion, 2023).
    """
    even = error.square().mean()
    slow, sides = error[:, :1], (side for side in BLOCKS if side <= min(error.shape[2:]))
    return even + sum(BLOCKS[s] * F.avg_pool2d(slow, s).square().mean() for s in sides) / error.shape[1]


def by_time(each: Tensor, t: Tensor, steps: int) -> dict[str, float]:
    """Mean error at little, middling and much noise, where a batch has samples of it."""
    third = (t * 3 // steps).clamp(max=2)
    names = ("little_noise", "middling_noise", "much_noise")
    return {name: float(each[third == i].mean()) for i, name in enumerate(names) if bool((third == i).any())}
