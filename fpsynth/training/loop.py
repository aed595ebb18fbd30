"""The loop that every training stage shares: optimise, average, log, look, checkpoint, resume."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fpsynth.errors import UserError
from fpsynth.training.checkpoint import load_checkpoint, save_checkpoint
from fpsynth.training.masters import Masters
from fpsynth.training.metrics import MetricsLog, save_grid

GRID_COLUMNS = 4
"""Of a grid of pictures: an even number, for they come in pairs."""


class LoopSettings(BaseModel):
    """How long and how fast a stage learns. The learning rate warms up linearly and falls as half a cosine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: NonNegativeInt = 0
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


class Job(Protocol):
    """What a stage brings to the loop."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """What learns, float32 on the CPU when handed over; the loop casts and moves it in place."""

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        """The loss of one batch and figures to log. Draws come from step_generator(seed, step) only."""

    def grid(self) -> Tensor | None:
        """Pictures of the state of things, (N, 1, H, W) in [-1, 1], or None."""


@dataclass(frozen=True)
class Place:
    """Where and in what number format a run computes."""

    accelerator: Accelerator
    dtype: torch.dtype

    @property
    def device(self) -> torch.device:
        return self.accelerator.device


def step_generator(seed: int, step: int) -> torch.Generator:
    """The generator of one step: a run that was cut off goes on with the very same batches."""
    return torch.Generator().manual_seed((seed << 32) + step)


def check_precision(precision: str, device: str) -> None:
    """Raises UserError for a number format that the device does not train in."""
    if precision == "fp16" and torch.device(device).type == "cpu":
        raise UserError("loop.precision fp16 needs a CUDA device; use bf16 or fp32 on the CPU")


def choose_place(precision: str, device: str) -> Place:
    """bf16: bfloat16 weights with float32 masters. fp16: float32 weights under CUDA autocast with loss scaling."""
    check_precision(precision, device)
    on_cpu = torch.device(device).type == "cpu"
    if on_cpu:
        torch.set_flush_denormal(True)
    accelerator = Accelerator(mixed_precision="fp16" if precision == "fp16" else "no", cpu=on_cpu)
    return Place(accelerator, torch.bfloat16 if precision == "bf16" else torch.float32)


def fit(job: Job, settings: LoopSettings, out: Path, device: str = "cpu", say: Callable[[str], None] = print) -> None:
    """Train the job's modules, or go on from the checkpoint in `out`.

    Leaves in `out`: metrics.jsonl, grids/, checkpoint.safetensors and, when done, final/NAME.safetensors. The modules
    end with their moving average, in float32 on the CPU.
    """
    place = choose_place(settings.precision, device)
    for module in job.modules.values():
        module.train().to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    masters = Masters(job.modules, settings.weight_decay)
    for module in job.modules.values():
        module.to(place.dtype)
    optimizer = place.accelerator.prepare(masters.optimizer)
    start = _resume(out / "checkpoint.safetensors", masters, place, say)
    _run(job, settings, out, place, masters, optimizer, start, say)
    _finish(job, masters, out)


def _resume(path: Path, masters: Masters, place: Place, say: Callable[[str], None]) -> int:
    """The step to go on from: 0 without a checkpoint."""
    if not path.exists():
        return 0
    tensors, state = load_checkpoint(path)
    try:
        masters.restore(tensors, int(state["step"]))
    except KeyError as error:
        raise UserError(f"{path}: is a checkpoint of another model ({error}); choose another folder") from error
    if place.accelerator.scaler is not None and "scale" in state:
        place.accelerator.scaler.update(state["scale"])
    say(f"resumed at step {int(state['step'])}")
    return int(state["step"])


def _run(
    job: Job,
    settings: LoopSettings,
    out: Path,
    place: Place,
    masters: Masters,
    optimizer: torch.optim.Optimizer,
    start: int,
    say: Callable[[str], None],
) -> None:
    log = MetricsLog(out / "metrics.jsonl", start)
    began = saved = time.monotonic()
    for step in range(start, settings.steps):
        log.add(_step(job, settings, place, masters, optimizer, step))
        done = step + 1
        if done % settings.log_every == 0 or done == settings.steps:
            pace = (time.monotonic() - began) / (done - start)
            say(_describe(log.flush(done, seconds_per_step=round(pace, 4)), settings.steps))
        if settings.grid_every and done % settings.grid_every == 0:
            _look(job, masters, out / "grids" / f"step-{done:06d}.png")
        if time.monotonic() - saved > 60 * settings.checkpoint_minutes or done == settings.steps:
            _save(out / "checkpoint.safetensors", masters, place, done)
            saved = time.monotonic()


def _step(
    job: Job, settings: LoopSettings, place: Place, masters: Masters, optimizer: torch.optim.Optimizer, step: int
) -> dict[str, float]:
    rate = settings.rate(step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    with place.accelerator.autocast(), _attention(place):
        loss, figures = job.loss(step, place.device, place.dtype)
    place.accelerator.backward(loss)
    masters.gather()
    norm, value = float(place.accelerator.clip_grad_norm_([masters.flat], settings.clip)), float(loss.detach())
    if not math.isfinite(value) or (settings.precision != "fp16" and not math.isfinite(norm)):
        raise UserError(f"the loss is no longer finite at step {step}; lower loop.learning_rate")
    optimizer.step()
    masters.publish(settings.decay(step))
    return {"loss": value, "gradient": norm, "learning_rate": rate, **figures}


def _attention(place: Place) -> AbstractContextManager[None]:
    """On the CPU plain attention trains faster than the fused one: its backward pass is slow for short sequences."""
    return sdpa_kernel(SDPBackend.MATH) if place.device.type == "cpu" else nullcontext()


def _describe(line: Mapping[str, float], steps: int) -> str:
    left = (steps - line["step"]) * line["seconds_per_step"] / 60
    figures = " ".join(f"{k} {v:.4g}" for k, v in line.items() if k not in ("step", "learning_rate"))
    return f"step {line['step']} of {steps}, {left:.0f} min left: {figures}"


def _look(job: Job, masters: Masters, path: Path) -> None:
    with masters.averaged(), torch.no_grad():
        _train_mode(job, False)
        images = job.grid()
        _train_mode(job, True)
    if images is not None:
        save_grid(path, images, GRID_COLUMNS)


def _train_mode(job: Job, mode: bool) -> None:
    for module in job.modules.values():
        module.train(mode)


def _save(path: Path, masters: Masters, place: Place, step: int) -> None:
    state: dict[str, float] = {"step": step}
    if place.accelerator.scaler is not None:
        state["scale"] = place.accelerator.scaler.get_scale()
    save_checkpoint(path, masters.tensors(), state)


def _finish(job: Job, masters: Masters, out: Path) -> None:
    """Leave the average in the modules and in out/final/."""
    (out / "final").mkdir(parents=True, exist_ok=True)
    for module in job.modules.values():
        module.eval().to("cpu", torch.float32)
    masters.write_average()
    for name, module in job.modules.items():
        weights = {key: value.contiguous() for key, value in module.state_dict().items()}
        save_file(weights, out / "final" / f"{name}.safetensors")
