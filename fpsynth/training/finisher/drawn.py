"""What a finisher learns from: pictures as a model draws them under the conditions of a bank's crops, beside these.

Drawn once, chunk by chunk, and kept: then the model is needed no more. Half of the pictures do not begin from noise
alone but, a step later, from the bank's print under that step's noise: they have its tone and contrast, so that the two
can be compared pixel by pixel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from fpsynth.diffusion.bundle import digest
from fpsynth.diffusion.denoiser.guidance import predictor
from fpsynth.diffusion.finisher import code_of
from fpsynth.diffusion.model import Model
from fpsynth.diffusion.sample import grey, noise_of
from fpsynth.diffusion.samplers import Course, Predict, make_course, sampler_of
from fpsynth.training.batches import DropSettings, draw_batch
from fpsynth.training.data import LatentBank
from fpsynth.training.data.description import Description, claim
from fpsynth.training.data.store import Chunk, Columns, Say, Store
from fpsynth.training.loop import step_generator

HOLDS, ROWS, TOGETHER = "drawn", 64, 8
"""What the store holds, pictures of a chunk, and of those that are drawn together."""
DRAWN, REAL, PLANES, NOISE, CODE = "drawn", "real", "planes", "noise", "code"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How pictures are drawn: side in pixels; by which sampler; in turns, in how many steps and guided how strongly."""

    side: int
    sampler: str
    steps: tuple[int, ...]
    cfg_scale: tuple[float, ...]
    drop: DropSettings
    seed: int

    def settings(self, model: Path, student: str | None) -> Mapping[str, object]:
        """What decides the bytes."""
        how = {"side": self.side, "sampler": self.sampler, "steps": self.steps, "cfg_scale": self.cfg_scale}
        return {**how, "drop": self.drop.model_dump(), "seed": self.seed, "model": digest(model), "student": student}


@dataclass(frozen=True)
class Artist:
    """Draws the chunks of a store."""

    model: Model
    source: LatentBank
    drawing: Drawing

    def chunk(self, index: int) -> Chunk:
        """The pictures of a chunk with all that they were drawn from."""
        parts = [self._together(index * ROWS + first) for first in range(0, ROWS, TOGETHER)]
        return Chunk({name: torch.cat([part[name] for part in parts]) for name in parts[0]})

    @torch.no_grad()
    def _together(self, first: int) -> dict[str, Tensor]:
        how, codec, generator = self.drawing, self.model.codec, step_generator(self.drawing.seed, first)
        batch = draw_batch(self.source, generator, TOGETHER, how.side, how.drop, self.model.denoiser.planes)
        noise = torch.randn(TOGETHER, 1, how.side, how.side, generator=generator)
        told = self.model.denoiser.tell(batch.conditions)
        predict = predictor(
            self.model.denoiser, batch.conditions, how.cfg_scale[first // ROWS % len(how.cfg_scale)], told
        )
        return {
            DRAWN: grey(self._draw(predict, batch.latents, noise, generator, first)),
            REAL: grey(codec.sketch(batch.latents)),
            PLANES: (batch.conditions.planes * 255).round().to(torch.uint8),
            NOISE: noise.half(),
            CODE: code_of(told).cpu().half(),
        }

    def _draw(self, predict: Predict, latents: Tensor, noise: Tensor, generator: torch.Generator, first: int) -> Tensor:
        how, model, device = self.drawing, self.model, self.model.denoiser.device
        sampler, course, start = sampler_of(how.sampler), self._course(first), _white(model, noise)
        if course.begin:
            start = model.schedule.noisy(latents.to(device), start, course.times[course.begin])

        def inject(step: int) -> Tensor:
            return _white(model, torch.randn(noise.shape, generator=generator))

        return model.codec.decode(sampler.sample(predict, start, inject, course)).cpu()

    def _course(self, first: int) -> Course:
        """Of the pictures from this row on. What is paired leaves out the first step, of two at least."""
        how, device, paired = self.drawing, str(self.model.denoiser.device), is_paired(first)
        steps = max(how.steps[first // TOGETHER % len(how.steps)], 1 + paired)
        course = make_course(how.sampler, sampler_of(how.sampler), self.model.schedule, steps, device=device)
        return replace(course, begin=1) if paired else course


def _white(model: Model, noise: Tensor) -> Tensor:
    """As the sampler takes noise (B, 1, H, W)."""
    return noise_of(model, list(noise), [True] * len(noise))


def is_paired(row: int) -> bool:
    """Whether the picture in this row was begun from the bank's print."""
    return row % ROWS < ROWS // 2


def draw_pictures(folder: Path, artist: Artist, told: Mapping[str, object], count: int, say: Say) -> Columns:
    """Draw what is missing of `count` pictures. told: Drawing.settings. Raises UserError for a folder of others."""
    store, chunks = Store(folder), -(-count // ROWS)
    claim(folder, Description(HOLDS, told, [DRAWN, REAL, PLANES, NOISE, CODE]))
    missing = store.missing(chunks)
    store.fill(artist.chunk, missing, lambda done: say(f"drawn: {done} of {len(missing)} chunks of {ROWS} pictures"))
    code = store.read(0).columns[CODE].shape[1]
    side, planes = artist.drawing.side, len(artist.model.denoiser.planes)
    shapes = {
        DRAWN: ("U8", (ROWS, side, side)),
        REAL: ("U8", (ROWS, side, side)),
        PLANES: ("U8", (ROWS, planes, side, side)),
        NOISE: ("F16", (ROWS, 1, side, side)),
        CODE: ("F16", (ROWS, code)),
    }
    return store.columns(shapes, chunks)
