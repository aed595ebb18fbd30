"""What a denoiser, or its student, learns from at each step."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from fpsynth.diffusion.model import Model
from fpsynth.diffusion.schedule import Schedule
from fpsynth.errors import UserError
from fpsynth.training.batches import Batch, CropSettings, DropSettings, draw_batch
from fpsynth.training.data import Bank, LatentBank, encode_bank
from fpsynth.training.data.store import Say
from fpsynth.training.loop import LoopSettings, Place, step_generator


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Where batches come from: a bank of latents, what is cut off and left out of it, and the planes that are shown.

    slow: whether the latents' first channel is the mean of its cell.
    """

    source: LatentBank
    schedule: Schedule
    loop: LoopSettings
    crops: CropSettings
    drop: DropSettings
    planes: tuple[str, ...]
    slow: bool = True

    def draw(self, step: int) -> tuple[Batch, Tensor, torch.Generator]:
        """The batch of a step, noise for its latents, and the step's generator for what else is drawn."""
        generator = step_generator(self.loop.seed, step)
        size, count = self.crops.at(step, self.loop.steps, self.loop.batch)
        batch = draw_batch(self.source, generator, count, size, self.drop, self.planes)
        return batch, torch.randn(batch.latents.shape, generator=generator), generator


class Taught(Protocol):
    """What a stage's recipe says of its lessons."""

    @property
    def loop(self) -> LoopSettings: ...
    @property
    def crops(self) -> CropSettings: ...
    @property
    def drop(self) -> DropSettings: ...


def lessons_for(model: Model, settings: Taught, bank: Bank, device: str, say: Say) -> Lessons:
    """The lessons of a model from a bank, which is encoded for it; of style where it sees any.

    Raises UserError for crops that do not suit it.
    """
    for side in settings.crops.sizes:
        check_grid(side, model.multiple)
    seeing = "image_encoder" in model.denoiser.parts
    return Lessons(
        source=encode_bank(bank, model.codec, device, say),
        schedule=model.schedule,
        loop=settings.loop,
        crops=settings.crops,
        drop=settings.drop if seeing else settings.drop.model_copy(update={"style": 1.0}),
        planes=model.denoiser.planes,
        slow=model.codec.quick,
    )


def check_grid(size: int, multiple: int, key: str = "crops.sizes") -> None:
    """Raises UserError, for this key, unless `size` pixels suit a model whose sides are multiples of `multiple`."""
    if size % multiple:
        raise UserError(f"{key}: {size} is no multiple of {multiple}, which this model needs")


def freeze(module: nn.Module, place: Place) -> None:
    """No gradients for this module's weights; it is moved to where the run computes, in its number format."""
    module.requires_grad_(False).eval()
    module.to(place.device, place.dtype)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
