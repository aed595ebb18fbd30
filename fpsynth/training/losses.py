"""What a few-step student is taught: one function a method, on any network that gives velocities."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fpsynth.training.diffuse import Diffusion

Control = Callable[[Tensor, Tensor], Any]
"""(z, t) -> what the ControlNet gives there; computed once for all networks that look at the same (z, t)."""
Velocity = Callable[[Tensor, Tensor, Any], Tensor]
"""(z, t, control) -> v, all float32."""


@dataclass(frozen=True)
class Pupil:
    """Student and teacher under the same control. The teacher takes `stride` of the 1000 times a step."""

    student: Velocity
    teacher: Velocity
    control: Control
    diffusion: Diffusion
    stride: int


def pseudo_huber(a: Tensor, b: Tensor, c: float) -> Tensor:
    """mean of sqrt(d^2 + c^2) - c (Song & Dhariwal 2023, equation 7)."""
    return ((a - b).square() + c * c).sqrt().mean() - c


def teacher_times(steps: int, stride: int) -> Tensor:
    """stride - 1, 2 stride - 1, ..., steps - 1: where the teacher steps from (and where few-step samplers start)."""
    return torch.arange(stride, steps + 1, stride) - 1


def phase_edge(t: Tensor, starts: Tensor) -> Tensor:
    """The end of the phase that each t lies in: the next lower of the times that will be sampled, or 0.

    starts: the sampled times, such as 999, 759, 499, 259; a phase holds its start and not its end.
    """
    ends = torch.cat([torch.zeros(1, dtype=starts.dtype), starts.sort().values]).to(t.device)
    return ends[torch.searchsorted(ends, t) - 1]


def phased_loss(pupil: Pupil, x0: Tensor, noise: Tensor, t: Tensor, starts: Tensor, huber: float) -> Tensor:
    """Phased consistency (Wang et al., PCM, NeurIPS 2024, equation 5, no guidance, no adversary).

    From every point of the teacher's path inside a phase the student must jump to the same point at the phase's end.
    t: (B,) of teacher_times.
    """
    edge = phase_edge(t, starts)
    before = torch.maximum(t - pupil.stride, edge)
    z = pupil.diffusion.noisy(x0, noise, t)
    control = pupil.control(z, t)
    jumped = pupil.diffusion.jump(z, pupil.student(z, t, control), t, edge)
    with torch.no_grad():
        nearer = pupil.diffusion.jump(z, pupil.teacher(z, t, control), t, before)
        v = pupil.student(nearer, before, pupil.control(nearer, before))
        target = pupil.diffusion.jump(nearer, v, before, edge)
        target = torch.where((before == edge).view(-1, 1, 1, 1), nearer, target)
    return pseudo_huber(jumped, target, huber)


def lcm_loss(pupil: Pupil, x0: Tensor, noise: Tensor, t: Tensor, huber: float) -> Tensor:
    """Latent consistency (Luo et al., LCM, 2023, equation 12, no guidance): the same clean image from every point."""
    before = (t - pupil.stride).clamp(min=0)
    z = pupil.diffusion.noisy(x0, noise, t)
    control = pupil.control(z, t)
    clean = _consistent(pupil, z, pupil.student(z, t, control), t)
    with torch.no_grad():
        nearer = pupil.diffusion.jump(z, pupil.teacher(z, t, control), t, before)
        v = pupil.student(nearer, before, pupil.control(nearer, before))
        target = _consistent(pupil, nearer, v, before)
    return pseudo_huber(clean, target, huber)


def _consistent(pupil: Pupil, z: Tensor, v: Tensor, t: Tensor) -> Tensor:
    """c_skip z + c_out x0, as LCMScheduler puts them together (sigma_data 0.5, time scaled by 10)."""
    scaled = 10.0 * t.view(-1, 1, 1, 1).float()
    skip, out = 0.25 / (scaled.square() + 0.25), scaled / (scaled.square() + 0.25).sqrt()
    return skip * z + out * pupil.diffusion.clean(z, v, t)
