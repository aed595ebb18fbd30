"""Guidance: the gradient by which the reader moves noisy latents towards words.

ADM's (Dhariwal & Nichol 2021, algorithm 2): of log p(words | z_t), strength by strength, with no pass back through the
denoiser.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fpsynth.diffusion.codec import Codec
from fpsynth.diffusion.model import Model
from fpsynth.diffusion.schedule import Schedule
from fpsynth.errors import UserError
from fpsynth.reader.reader import Reader, load_reader


def angle_of(schedule: Schedule, t: Tensor) -> Tensor:
    """How noisy z_t is, for the reader: cosine and sine are the shares of image and noise."""
    a, s = schedule.scales(t)
    return torch.atan2(s, a).flatten()


OWN = "reader"
"""Where a model directory holds a reader of its own."""


@dataclass(frozen=True)
class Guiding:
    """A reader at the codec and schedule of a model."""

    reader: Reader
    codec: Codec
    schedule: Schedule

    def towards(self, words: Sequence[Mapping[str, str | None]], strengths: Mapping[str, float]) -> "Towards":
        """The gradient for a batch of images that are to be read as these words; a strength of 0 asks for none."""
        known = self.reader.words
        slots = {slot: strength for slot, strength in strengths.items() if strength and slot in known}
        wanted = {s: [known[s].index(w) if (w := one.get(s)) in known[s] else -1 for one in words] for s in slots}
        return Towards(self, {s: torch.tensor(numbers) for s, numbers in wanted.items()}, slots)


@dataclass(frozen=True)
class Towards:
    """wanted: slot -> (B,) numbers of words, -1 where nothing is wanted; strengths: slot -> how much."""

    guiding: Guiding
    wanted: Mapping[str, Tensor]
    strengths: Mapping[str, float]

    def __call__(self, z: Tensor, x0: Tensor, t: Tensor) -> Tensor:
        """(B, C, h, w) float32 at one time t: sum over the slots of strength x gradient of log p(word | z_t)."""
        if not self.strengths:
            return torch.zeros_like(z)
        guiding = self.guiding
        with torch.inference_mode(False), torch.enable_grad():
            free = z.detach().clone().requires_grad_()
            angle = angle_of(guiding.schedule, t.clone().view(1)).expand(len(z)).clone()
            scores = guiding.reader.network(guiding.codec.sketch(free), angle)
            total = torch.stack([self._log_share(scores[slot], slot) for slot in self.strengths]).sum()
            gradient: Tensor = torch.autograd.grad(total, free)[0]
        return gradient

    def _log_share(self, scores: Tensor, slot: str) -> Tensor:
        """Weighted log probability of the wanted words, summed over the images that want one."""
        wanted = self.wanted[slot].to(scores.device)
        chosen = scores.log_softmax(1).gather(1, wanted.clamp_min(0)[:, None])[:, 0]
        return self.strengths[slot] * (chosen * (wanted >= 0)).sum()


def guiding_of(model: Model, device: str, home: Path) -> Guiding:
    """The reader in home/reader/, or the bundled one, at a model in the folder `home`.

    Raises UserError where it cannot read the model's latents.
    """
    own = home / OWN
    reader = load_reader(own if own.is_dir() else None, device)
    if reader.codec != model.codec.digest:
        called = str(own) if own.is_dir() else "the bundled reader"
        remedy = f"`fpsynth train reader` makes one, to be put into {own}"
        raise UserError(f"sampling.guide: {called} learnt the latents of another model and cannot guide it; {remedy}")
    return Guiding(reader, model.codec, model.schedule)
