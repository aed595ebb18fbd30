"""What a training stage brings to the loop, and what its recipe says of it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

Loss = Callable[[int, torch.device, torch.dtype], tuple[Tensor, Mapping[str, float]]]
"""(step, device, dtype) -> the loss of one batch, and figures to log. Draws come from step_generator(seed, step)."""


class LoopSettings(BaseModel):
    """How long and how fast a stage learns. The learning rate warms up linearly and falls as half a cosine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    free: ClassVar = frozenset({"steps", "checkpoint_minutes", "log_every", "grid_every"})
    """What may change while a run goes on."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    steps: PositiveInt
    batch: PositiveInt
    learning_rate: PositiveFloat = 1e-3
    warmup: NonNegativeInt = 100
    final: float = Field(default=0.02, ge=0, le=1, description="share of the learning rate that is left at the end")
    weight_decay: float = Field(default=0.01, ge=0)
    clip: PositiveFloat = 1.0
    ema: float = Field(default=0.999, ge=0, lt=1)
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    checkpoint_minutes: PositiveFloat = 5.0
    log_every: PositiveInt = 20
    grid_every: NonNegativeInt = 0

    def rate(self, step: int) -> float:
        """The learning rate of step 0, 1, ..."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = min((step - self.warmup) / max(self.steps - self.warmup, 1), 1.0)
        return self.learning_rate * (self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2)

    def decay(self, step: int) -> float:
        """The decay of the moving average, shorter while the run is young."""
        return min(self.ema, (1 + step) / (10 + step))


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Modules that learn together, by an optimizer of their own.

    modules   by name; float32 on the CPU when handed over: the loop casts and moves them in place
    loss      what they are to make small
    name      of its figures in the log; the main learner has none
    every     it learns at each so-many-th step
    rate      times the loop's learning rate
    momentum  of its optimizer (beta 1)
    """

    modules: Mapping[str, nn.Module]
    loss: Loss
    name: str = ""
    every: int = 1
    rate: float = 1.0
    momentum: float = 0.9


class Job(Protocol):
    """What a stage brings to the loop."""

    @property
    def learners(self) -> Sequence[Learner]:
        """Who learns, in the order in which they do at each step; names of modules are theirs alone."""

    def grid(self) -> Tensor | None:
        """Pictures of the state of things, (N, 1, H, W) in [-1, 1], or None."""


def step_generator(seed: int, step: int) -> torch.Generator:
    """The generator of one step: a run that was cut off goes on with the very same batches."""
    return torch.Generator().manual_seed((seed << 32) + step)
