"""What a sampler is given: a network to ask, noise to inject, and the times to stop at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from fpsynth.diffusion.schedule import Schedule
from fpsynth.errors import UserError
from fpsynth.vocabulary import SAMPLERS

Predict = Callable[[Tensor, Tensor], Tensor]
"""(z, t) -> the network's output there, float32; a sampler may ask as often as it likes."""
Inject = Callable[[int], Tensor]
"""step -> the noise to inject after it, shaped as the latents."""


@dataclass(frozen=True)
class Course:
    """times (S,): all of them, falling; begin: the step to start with (0, or later from a given image)."""

    schedule: Schedule
    times: Tensor
    eta: float
    injects: range
    begin: int = 0

    @property
    def steps(self) -> range:
        """The steps to take."""
        return range(self.begin, len(self.times))

    def after(self, step: int) -> int | None:
        """The time after a step's; None after the last."""
        return int(self.times[step + 1]) if step + 1 < len(self.times) else None

    def kept(self, step: int) -> tuple[Tensor, Tensor]:
        """alphas_cumprod at a step's time and at the next; 1 after the last."""
        table, after = self.schedule.alphas_cumprod, self.after(step)
        return table[int(self.times[step])], torch.ones(()) if after is None else table[after]


class Sampler(Protocol):
    """A module of this folder."""

    def scheduler(self, schedule: Schedule, steps: int) -> Any:
        """The diffusers scheduler of this name, set to this many steps. Raises ValueError for too many."""

    def sample(self, predict: Predict, start: Tensor, inject: Inject, course: Course) -> Tensor:
        """The clean latents that noise `start` (white, unit variance; z at the first time) comes to."""


def make_course(
    name: str, sampler: Sampler, schedule: Schedule, steps: int, eta: float | None = None, device: str = "cpu"
) -> Course:
    """The course of a sampler in so many steps. Raises UserError where it cannot take them."""
    facts = SAMPLERS[name]
    try:
        times = sampler.scheduler(schedule, steps).timesteps.to(device)
    except ValueError as error:
        raise UserError(f"scheduler {name} cannot take {steps} steps: {error}") from None
    return Course(schedule, times, (facts.eta or 0.0) if eta is None else eta, facts.injections(len(times), eta))


def set_to(scheduler: Any, schedule: Schedule, steps: int, **options: Any) -> Any:
    """A diffusers scheduler on this schedule with trailing times (Lin et al. 2024), set to this many steps.

    options: what its from_config would otherwise take from the model's own (DDIM) config and read wrongly.
    """
    config: Mapping[str, Any] = {**schedule.config, "timestep_spacing": "trailing", **options}
    made = scheduler.from_config(config)
    made.set_timesteps(steps)
    return made


def solve(scheduler: Any, predict: Predict, start: Tensor, course: Course) -> Tensor:
    """Walk the course by the steps of a diffusers scheduler that injects nothing."""
    z = start * torch.as_tensor(scheduler.init_noise_sigma).to(start)
    for step in course.steps:
        t = course.times[step]
        seen = scheduler.scale_model_input(z, t)
        z = scheduler.step(predict(seen, t), t, z, return_dict=False)[0]
    return z
