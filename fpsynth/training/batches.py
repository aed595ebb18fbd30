"""Batches for the denoiser, its adapter and its students: latents, planes, prompts and style references."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator
from torch import Tensor

from fpsynth.conditioning.conditions import Conditions
from fpsynth.conditioning.prompt import prompt_text
from fpsynth.conditioning.style import style_pixels
from fpsynth.slots import SLOTS
from fpsynth.training.data import SIZE, Images, Labels, LatentBank, crop_corners

MIRROR = {"left_loop": "right_loop", "right_loop": "left_loop"}
"""What a pattern class becomes in a mirror; the others stay."""


class DropSettings(BaseModel):
    """Shares of the samples that go without a condition, so that a model learns to do without it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slot: float = Field(default=0.1, ge=0, le=1, description="each word of the prompt")
    rare_slot: float = Field(
        default=0.5, ge=0, le=1, description="each word that people seldom say (pressure, surface)"
    )
    prompt: float = Field(default=0.1, ge=0, le=1, description="the whole prompt")
    control: float = Field(default=0.05, ge=0, le=1, description="the control planes")
    style: float = Field(default=0.3, ge=0, le=1, description="the style image")
    beside_style: float = Field(
        default=0.7, ge=0, le=1, description="beside a style image: the words, a random share of them or all"
    )


Side = Annotated[PositiveInt, Field(multiple_of=64, le=SIZE)]
Share = Annotated[float, Field(ge=0, le=1)]


class CropSettings(BaseModel):
    """First random crops, which are cheap; at the end whole images, for what depends on the place in the image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sizes: dict[Side, Share] = Field(
        default={256: 0.85, 512: 0.15}, min_length=1, description="side in pixels -> share of the steps, in their order"
    )

    @field_validator("sizes")
    @classmethod
    def _whole(cls, sizes: dict[int, float]) -> dict[int, float]:
        if abs(sum(sizes.values()) - 1) > 1e-6:
            raise ValueError(f"shares must sum to 1, not to {sum(sizes.values()):g}")
        return sizes

    def at(self, step: int, steps: int, batch: int) -> tuple[int, int]:
        """(crop size, number of crops) of a step; batch is of the first size, and a step of any size costs the same."""
        sides = list(self.sizes)
        ends = accumulate(self.sizes.values())
        size = next((side for side, end in zip(sides, ends, strict=True) if step < end * steps - 1e-6), sides[-1])
        return size, max(1, round(batch * sides[0] ** 2 / size**2))


@dataclass(frozen=True)
class Batch:
    """latents (B, C, h, w) float32, and what the model is told of them."""

    latents: Tensor
    conditions: Conditions


@dataclass(frozen=True)
class Crop:
    """Which image of the bank, mirrored or not, and where in the (mirrored) image: pixels."""

    index: int
    mirrored: bool
    top: int
    left: int


def draw_batch(
    source: LatentBank,
    generator: torch.Generator,
    count: int,
    size: int,
    drop: DropSettings,
    planes: Sequence[str] | None = None,
) -> Batch:
    """A batch of random crops with the conditions that the generator leaves them.

    planes: names of the control planes that the model understands; None: all that the bank holds.
    """
    crops = draw_crops(generator, len(source.bank), count, size)
    coins = torch.rand(count, 2, generator=generator)
    styled = (coins[:, 1] >= drop.style).tolist()
    prompts = tuple(
        draw_prompt(source.bank.labels[crop.index], crop.mirrored, generator, drop, beside)
        for crop, beside in zip(crops, styled, strict=True)
    )
    style = draw_styles(source, crops, generator)
    latents, planes_shown = gather(source, crops, size, planes)
    told = Conditions(
        planes=planes_shown,
        prompts=prompts,
        style=style[:, None],
        styled=torch.tensor(styled)[:, None],
        heard=coins[:, 0] >= drop.control,
    )
    return Batch(latents, told)


def draw_crops(generator: torch.Generator, images: int, count: int, size: int) -> list[Crop]:
    """Random images, mirrored or not, and crops of them on the grid of 64 / 8 pixels that every latent grid divides."""
    index = torch.randint(images, (count,), generator=generator).tolist()
    mirrored = (torch.rand(count, generator=generator) < 0.5).tolist()
    top, left = crop_corners(generator, count, size, 8)
    return [Crop(*values) for values in zip(index, mirrored, top.tolist(), left.tolist(), strict=True)]


def gather(
    source: LatentBank, crops: list[Crop], size: int, planes: Sequence[str] | None = None
) -> tuple[Tensor, Tensor]:
    """Read latents (B, C, h, w) and these planes (B, P, H, W), or all that the bank holds, of these crops."""
    latents = [source.crop(c.index, c.mirrored, c.top, c.left, size) for c in crops]
    shown = [_planes(source, c, size, planes) for c in crops]
    return torch.stack(latents), torch.stack(shown).float() / 255


def _planes(source: LatentBank, crop: Crop, size: int, names: Sequence[str] | None) -> Tensor:
    if not crop.mirrored:
        return source.bank.planes_crop(crop.index, crop.top, crop.left, size, names)
    return source.bank.planes_crop(crop.index, crop.top, SIZE - crop.left - size, size, names).flip(-1)


def draw_styles(source: LatentBank, crops: list[Crop], generator: torch.Generator) -> Tensor:
    """Style references: another finger by the same device, mirrored where the crop is."""
    return torch.stack([shown(source.bank, source.bank.partner(c.index, generator), c.mirrored) for c in crops])


def shown(images: Images, index: int, mirrored: bool) -> Tensor:
    """An image of a bank as the image encoder takes it."""
    image = images.image(index)
    return style_pixels(image.flip(-1) if mirrored else image)


def words_of(label: Labels, mirrored: bool) -> dict[str, str | None]:
    """The prompt's slots, as the image (or its mirror image) fills them."""
    words = {slot: label.words.get(slot) for slot in SLOTS}
    pattern = words["pattern"]
    return words | {"pattern": MIRROR.get(pattern, pattern) if mirrored and pattern else pattern}


def draw_prompt(
    label: Labels, mirrored: bool, generator: torch.Generator, drop: DropSettings, styled: bool = False
) -> str:
    """The prompt with some of its words left out, or all of them.

    Beside a style image more are left out, and often all: an adapter learns nothing that words have said already.
    """
    words = words_of(label, mirrored)
    beside, share, whole, *coins = torch.rand(len(words) + 3, generator=generator).tolist()
    if whole < drop.prompt:
        return ""
    more = min(2 * share, 1) if styled and beside < drop.beside_style else 0
    kept: Mapping[str, str | None] = {
        slot: None if coin < max(more, drop.rare_slot if SLOTS[slot].rare else drop.slot) else word
        for (slot, word), coin in zip(words.items(), coins, strict=True)
    }
    return prompt_text(kept)
