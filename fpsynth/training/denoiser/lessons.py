"""What a denoiser, or its student, learns from at each step."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fpsynth.diffusion.schedule import Schedule
from fpsynth.errors import UserError
from fpsynth.training.batches import Batch, CropSettings, DropSettings, draw_batch
from fpsynth.training.latents import LatentBank
from fpsynth.training.loop import LoopSettings, Place, step_generator


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Where batches come from: a bank of latents, and what is cut off and left out of it."""

    source: LatentBank
    schedule: Schedule
    loop: LoopSettings
    crops: CropSettings
    drop: DropSettings

    def draw(self, step: int) -> tuple[Batch, Tensor, torch.Generator]:
        """The batch of a step, noise for its latents, and the step's generator for what else is drawn."""
        generator = step_generator(self.loop.seed, step)
        size, count = self.crops.at(step, self.loop.steps, self.loop.batch)
        batch = draw_batch(self.source, generator, count, size, self.drop)
        return batch, torch.randn(batch.latents.shape, generator=generator), generator


def check_grid(size: int, multiple: int) -> None:
    """Raises UserError unless a crop of `size` pixels suits a model whose sides are multiples of `multiple`."""
    if size % multiple:
        raise UserError(f"crops.size {size} is no multiple of {multiple}, which this model needs")


def freeze(module: nn.Module, place: Place) -> None:
    """No gradients for this module's weights; it is moved to where the run computes, in its number format."""
    module.requires_grad_(False).eval()
    module.to(place.device, place.dtype)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
