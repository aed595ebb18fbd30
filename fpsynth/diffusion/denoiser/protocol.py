"""What a denoiser is: the network of a diffusion model with all that it needs to be told things."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from fpsynth.conditioning.conditions import Conditions


@dataclass(frozen=True, kw_only=True)
class Told:
    """Conditions as a denoiser keeps them: encoded, on its device, in its number format.

    text (B, tokens, width); planes (B, P, H, W); style (B, n, width), zeros where there is none; heard (B,) or None.
    """

    text: Tensor
    planes: Tensor
    style: Tensor
    heard: Tensor | None
    control_scale: float
    style_scale: float


class Denoiser(Protocol):
    """Tell it the conditions once, ask it for its control features at (z, t), ask it for a prediction there.

    z (B, channels, h, w) float32 on any device, t a time or (B,) of them. Gradients flow wherever a part wants them.
    """

    @property
    def channels(self) -> int:
        """Channels of the latents."""

    @property
    def multiple(self) -> int:
        """Latent cells: both sides of the latents must be multiples of it."""

    @property
    def planes(self) -> tuple[str, ...]:
        """The control planes that it understands, in its order."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    @property
    def dtype(self) -> torch.dtype:
        """In which number format."""

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """Everything that can learn, by name; "network" is the part that predicts."""

    def tell(self, conditions: Conditions) -> Told:
        """Encode the conditions of a batch."""

    def control(self, told: Told, z: Tensor, t: Tensor) -> Any:
        """What the planes come to at (z, t): to be handed to predict, of this denoiser or of its student."""

    def predict(self, told: Told, z: Tensor, t: Tensor, control: Any) -> Tensor:
        """The prediction (B, channels, h, w) float32; what it means is the schedule's to say."""

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write its parts in fp16 into a model directory; returns what the model's index says of them."""

    def student(self, rank: int, seed: int, start: Path | None = None) -> Self:
        """One that shares all parts but the network, which is a copy of which only what a student learns is free.

        rank 0: all weights; else a LoRA of this rank. start: the folder of a student to begin with; raises UserError
        for one of another shape.
        """

    def save_student(self, folder: Path) -> None:
        """Write its network, which `student` gave it, into the student's folder."""


def joined(first: Told, second: Told) -> Told:
    """Two batches as one."""
    return replace(
        first,
        text=torch.cat([first.text, second.text]),
        planes=torch.cat([first.planes, second.planes]),
        style=torch.cat([first.style, second.style]),
        heard=None if first.heard is None or second.heard is None else torch.cat([first.heard, second.heard]),
    )
