"""Where and in what number format a run computes."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch.nn.attention import SDPBackend, sdpa_kernel

from fpsynth.errors import UserError


@dataclass(frozen=True)
class Place:
    """dtype: of the weights while they learn."""

    accelerator: Accelerator
    dtype: torch.dtype

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        device: torch.device = self.accelerator.device
        return device

    def attention(self) -> AbstractContextManager[None]:
        """On the CPU plain attention trains faster than the fused one: its backward is slow for short sequences."""
        return sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else nullcontext()


def check_precision(precision: str, device: str) -> None:
    """Raises UserError for a number format that the device does not train in."""
    if precision == "fp16" and torch.device(device).type == "cpu":
        raise UserError("loop.precision fp16 needs a CUDA device; use bf16 or fp32 on the CPU")


def choose_place(precision: str, device: str) -> Place:
    """bf16: bfloat16 weights with float32 copies. fp16: float32 weights under CUDA autocast with loss scaling."""
    check_precision(precision, device)
    on_cpu = torch.device(device).type == "cpu"
    if on_cpu:
        torch.set_flush_denormal(True)
    accelerator = Accelerator(mixed_precision="fp16" if precision == "fp16" else "no", cpu=on_cpu)
    return Place(accelerator, torch.bfloat16 if precision == "bf16" else torch.float32)
