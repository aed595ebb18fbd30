"""What the reader is shown: crops of the bank as other devices would give them, and noisy latents of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fpsynth.diffusion.codec import Codec
from fpsynth.diffusion.schedule import Schedule
from fpsynth.reader.guide import angle_of
from fpsynth.slots import SLOTS
from fpsynth.training.batches import words_of
from fpsynth.training.data import Bank, Labels, to_signed
from fpsynth.training.views import placed, recoloured

OPEN = -100
"""The number of a word that is not known: no loss comes of it."""


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


def noisy(
    images: Tensor, t: Tensor, codec: Codec, schedule: Schedule, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What the codec sketches of the images' latents at times t (B,), and how noisy they are as an angle (B,)."""
    latents = codec.encode(images)
    z = schedule.noisy(latents, torch.randn(latents.shape, generator=generator), t)
    return codec.sketch(z), angle_of(schedule, t)
