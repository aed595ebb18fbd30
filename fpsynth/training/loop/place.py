"""Where and in what number format a run computes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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

    @contextmanager
    def quick(self) -> Iterator[None]:
        """On the CPU, numbers next to 0 count as 0: they are slow. Only in here, for other work must not change."""
        torch.set_flush_denormal(self.device.type == "cpu")
        try:
            yield
        finally:
            torch.set_flush_denormal(False)

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
    accelerator = Accelerator(mixed_precision="fp16" if precision == "fp16" else "no", cpu=on_cpu)
    return Place(accelerator, torch.bfloat16 if precision == "bf16" else torch.float32)
