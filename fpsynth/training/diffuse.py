"""The arithmetic of velocity diffusion: noise, velocity and deterministic jumps (Salimans & Ho 2022, appendix D)."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Diffusion:
    """z_t = a_t x0 + s_t e with a_t^2 = alphas_cumprod[t], s_t^2 = 1 - a_t^2; the velocity is v = a_t e - s_t x0.

    alphas_cumprod (1000,) float32. All times are int64 tensors (B,), all images float32 (B, C, h, w).
    """

    alphas_cumprod: Tensor

    @property
    def steps(self) -> int:
        return len(self.alphas_cumprod)

    def scales(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(a_t, s_t), each (B, 1, 1, 1)."""
        alpha = self.alphas_cumprod.to(t.device)[t].view(-1, 1, 1, 1)
        return alpha.sqrt(), (1 - alpha).sqrt()

    def noisy(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """z_t."""
        a, s = self.scales(t)
        return a * x0 + s * noise

    def velocity(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """v_t, what the network learns."""
        a, s = self.scales(t)
        return a * noise - s * x0

    def clean(self, z: Tensor, v: Tensor, t: Tensor) -> Tensor:
        """x0 = a_t z - s_t v."""
        a, s = self.scales(t)
        return a * z - s * v

    def jump(self, z: Tensor, v: Tensor, t: Tensor, to: Tensor) -> Tensor:
        """The DDIM step from t to an earlier time: x0 and e as v says, put together for the other time."""
        a, s = self.scales(t)
        a_to, s_to = self.scales(to)
        return a_to * (a * z - s * v) + s_to * (a * v + s * z)


def stratified_times(generator: torch.Generator, count: int, steps: int, shift: float = 1.0) -> Tensor:
    """`count` times in 0..steps-1, one in each of `count` equal strata, in random order: a less noisy loss.

    A shift above 1 favours much noise, where large images decide their slow parts (Esser et al., SD3, 2024, eq. 23).
    """
    strata = torch.randperm(count, generator=generator)
    u = (strata + torch.rand(count, generator=generator)) / count
    return (shift * u / (1 + (shift - 1) * u) * steps).long().clamp(max=steps - 1)
