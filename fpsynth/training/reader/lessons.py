"""What the reader is shown: crops of the bank as other devices would give them, and noisy latents of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.diffusion.codec import Codec
from fpsynth.diffusion.schedule import Schedule
from fpsynth.reader.guide import angle_of
from fpsynth.slots import SLOTS
from fpsynth.training.batches import words_of
from fpsynth.training.data import SIZE, Bank, Labels, to_signed

OPEN = -100
"""The number of a word that is not known: no loss comes of it."""
ZOOM, GAIN, SHIFT, GAMMA = 0.12, 0.2, 0.12, 0.25
"""Most of each disturbance; grey levels run from -1 to 1."""
AWAY = 0.4
"""Most that a crop lies away from the middle, as a share of the room that it has."""


@dataclass(frozen=True)
class Shown:
    """images (B, 1, H, W); angle (B,), see ReaderNetwork; answers: slot -> (B,) numbers of words, or OPEN."""

    images: Tensor
    angle: Tensor
    answers: Mapping[str, Tensor]


def answers(
    words: Mapping[str, Sequence[str]], labels: Sequence[Labels], mirrored: Sequence[bool]
) -> dict[str, Tensor]:
    """The numbers of the words that the images, or their mirror images, bear."""
    said = [words_of(label, flip) for label, flip in zip(labels, mirrored, strict=True)]
    return {slot: torch.tensor([_number(own, one[slot]) for one in said]) for slot, own in words.items()}


def _number(words: Sequence[str], word: str | None) -> int:
    return words.index(word) if word in words else OPEN


def vocabulary(labels: Sequence[Labels]) -> dict[str, tuple[str, ...]]:
    """Slot -> its words, in the table's order, that these labels bear; only slots with two or more."""
    borne = {slot: {label.words.get(slot) for label in labels} for slot in SLOTS}
    words = {slot: tuple(word for word in SLOTS[slot].words if word in borne[slot]) for slot in SLOTS}
    return {slot: own for slot, own in words.items() if len(own) > 1}


def draw_images(
    bank: Bank, index: Sequence[int], mirrored: Sequence[bool], side: int, generator: torch.Generator
) -> Tensor:
    """(B, 1, side, side): the middles of images, moved, resized and in other grey levels."""
    each = [bank.image(i).flip(-1) if flip else bank.image(i) for i, flip in zip(index, mirrored, strict=True)]
    return recoloured(placed(to_signed(torch.stack(each)[:, None]), side, generator), generator)


def placed(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """(B, C, side, side): a crop near the middle of each; every other one a little larger or smaller."""
    count = len(images)
    scale = 1 + ZOOM * _spread(generator, count) * (torch.rand(count, generator=generator) < 0.5)
    room = (SIZE - side * scale).clamp_min(0) / 2
    away = torch.stack([AWAY * room * _spread(generator, count) for _ in range(2)], 1).round()
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = side * scale / SIZE
    theta[:, :, 2] = away * 2 / SIZE
    grid = F.affine_grid(theta, [count, images.shape[1], side, side], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def recoloured(images: Tensor, generator: torch.Generator) -> Tensor:
    """Other gain, offset and gamma, and of every fourth image less sharpness."""
    gain, shift, gamma = (most * _spread(generator, len(images))[:, None, None, None] for most in (GAIN, SHIFT, GAMMA))
    light = ((images + 1) / 2).clamp(1e-3, 1) ** (1 + gamma) * 2 - 1
    out = light * (1 + gain) + shift
    amount = (torch.rand(len(images), 1, 1, 1, generator=generator) * 4 - 3).clamp_min(0)
    return torch.lerp(out, F.avg_pool2d(F.pad(out, (1,) * 4, mode="replicate"), 3, 1), amount).clamp(-1, 1)


def _spread(generator: torch.Generator, count: int) -> Tensor:
    """(B,) in [-1, 1]."""
    return torch.rand(count, generator=generator) * 2 - 1


def noisy(
    images: Tensor, t: Tensor, codec: Codec, schedule: Schedule, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What the codec sketches of the images' latents at times t (B,), and how noisy they are as an angle (B,)."""
    latents = codec.encode(images)
    z = schedule.noisy(latents, torch.randn(latents.shape, generator=generator), t)
    return codec.sketch(z), angle_of(schedule, t)
