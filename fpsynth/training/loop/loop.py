"""Training the learners of a job, step by step, or going on where a run was cut off.

Leaves in the run's folder: metrics.jsonl, grids/, checkpoint.safetensors and, when done, final/NAME.safetensors.
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from fpsynth.console import Console
from fpsynth.errors import UserError
from fpsynth.training.loop.checkpoint import CHECKPOINT, State, load_checkpoint, save_checkpoint
from fpsynth.training.loop.job import Job, Learner, LoopSettings
from fpsynth.training.loop.metrics import MetricsLog, save_grid
from fpsynth.training.loop.place import Place, choose_place
from fpsynth.training.loop.weights import Weights

GRID_COLUMNS = 4
"""Of a grid of pictures: an even number, for they come in pairs."""
SCALER = "scaler."
"""What the scaling of the loss (fp16) goes under in a checkpoint's state."""


@dataclass(frozen=True)
class Seat:
    """A learner with its weights and its optimizer, as the accelerator prepared it."""

    learner: Learner
    weights: Weights
    optimizer: torch.optim.Optimizer


@dataclass(frozen=True)
class Run:
    """A job under way."""

    job: Job
    settings: LoopSettings
    out: Path
    place: Place
    seats: tuple[Seat, ...]

    @property
    def checkpoint(self) -> Path:
        """The file that a cut-off run goes on from."""
        return self.out / CHECKPOINT

    def modules(self) -> Iterator[tuple[str, nn.Module]]:
        """All that learns, by name."""
        for seat in self.seats:
            yield from seat.learner.modules.items()


def fit(job: Job, settings: LoopSettings, out: Path, device: str, console: Console) -> None:
    """Train the job's learners, or go on from the checkpoint in `out`.

    The modules end with their moving average, in float32 on the CPU.
    """
    place = choose_place(settings.precision, device)
    run = Run(job, settings, out, place, tuple(_seat(learner, settings, place) for learner in job.learners))
    start = _resume(run, console)
    with place.quick():
        _train(run, start, console)
    _finish(run)


def _seat(learner: Learner, settings: LoopSettings, place: Place) -> Seat:
    for module in learner.modules.values():
        module.train().to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = Weights(learner.modules, settings.weight_decay, learner.momentum)
    for module in learner.modules.values():
        module.to(place.dtype)
    return Seat(learner, weights, place.accelerator.prepare(weights.optimizer))


def _resume(run: Run, console: Console) -> int:
    """The step to go on from: 0 without a checkpoint."""
    if not run.checkpoint.exists():
        return 0
    tensors, state = load_checkpoint(run.checkpoint)
    step, scaler = int(state["step"]), run.place.accelerator.scaler
    try:
        for seat in run.seats:
            seat.weights.restore(tensors)
    except KeyError as error:
        raise UserError(
            f"{run.checkpoint}: is a checkpoint of another model ({error}); choose another folder"
        ) from error
    if scaler is not None and SCALER + "scale" in state:
        scaler.load_state_dict({key.removeprefix(SCALER): state[key] for key in state if key.startswith(SCALER)})
    console.note(f"resumed at step {step}")
    return step


def _train(run: Run, start: int, console: Console) -> None:
    settings = run.settings
    log, saved = MetricsLog(run.out / "metrics.jsonl", start), time.monotonic()
    began = saved
    with console.progress(settings.steps, "steps", start) as progress:
        for step in range(start, settings.steps):
            log.add(_step(run, step))
            done = step + 1
            progress.tick()
            if done % settings.log_every == 0 or done == settings.steps:
                pace = (time.monotonic() - began) / (done - start)
                progress.piece(_describe(log.flush(done, seconds_per_step=round(pace, 4))))
            if settings.grid_every and done % settings.grid_every == 0:
                _look(run, run.out / "grids" / f"step-{done:06d}.png")
            if time.monotonic() - saved > 60 * settings.checkpoint_minutes or done == settings.steps:
                _save(run, done)
                saved = time.monotonic()


def _step(run: Run, step: int) -> dict[str, float]:
    """One step of everybody whose turn it is; figures of all."""
    figures: dict[str, float] = {}
    for seat in run.seats:
        if step % seat.learner.every == 0:
            mark = f"{seat.learner.name}_" if seat.learner.name else ""
            figures |= {mark + name: value for name, value in _learn(run, seat, step).items()}
    return figures


def _learn(run: Run, seat: Seat, step: int) -> dict[str, float]:
    settings, accelerator = run.settings, run.place.accelerator
    rate = settings.rate(step) * seat.learner.rate
    for group in seat.optimizer.param_groups:
        group["lr"] = rate
    with accelerator.autocast(), run.place.attention():
        loss, figures = seat.learner.loss(step, run.place.device, run.place.dtype)
    accelerator.backward(loss)
    for other in run.seats:
        other.weights.gather(keep=other is seat)
    norm, value = float(accelerator.clip_grad_norm_([seat.weights.flat], settings.clip)), float(loss.detach())
    if not math.isfinite(value) or (settings.precision != "fp16" and not math.isfinite(norm)):
        raise UserError(f"the loss is no longer finite at step {step}; lower loop.learning_rate")
    seat.optimizer.step()
    seat.weights.publish(settings.decay(step))
    return {"loss": value, "gradient": norm, "learning_rate": rate, **figures}


def _describe(line: Mapping[str, float]) -> str:
    left_out = ("step", "learning_rate", "seconds_per_step")
    return f"step {line['step']} " + " ".join(f"{k} {v:.4g}" for k, v in line.items() if k not in left_out)


def _look(run: Run, path: Path) -> None:
    for seat in run.seats:
        seat.weights.write_average()
    with torch.no_grad():
        _train_mode(run, False)
        images = run.job.grid()
        _train_mode(run, True)
    for seat in run.seats:
        seat.weights.write_current()
    if images is not None:
        save_grid(path, images, GRID_COLUMNS)


def _train_mode(run: Run, mode: bool) -> None:
    for _, module in run.modules():
        module.train(mode)


def _save(run: Run, step: int) -> None:
    scaler = run.place.accelerator.scaler
    state: State = {"step": step}
    if scaler is not None:
        state |= {SCALER + key: value for key, value in scaler.state_dict().items()}
    save_checkpoint(run.checkpoint, {k: v for seat in run.seats for k, v in seat.weights.tensors().items()}, state)


def _finish(run: Run) -> None:
    """Leave the average in the modules and in out/final/."""
    (run.out / "final").mkdir(parents=True, exist_ok=True)
    for _, module in run.modules():
        module.eval().to("cpu", torch.float32)
    for seat in run.seats:
        seat.weights.write_average()
    for name, module in run.modules():
        weights = {key: value.contiguous() for key, value in module.state_dict().items()}
        save_file(weights, run.out / "final" / f"{name}.safetensors")
