"""What a codec is: the space that a denoiser works in."""

from pathlib import Path
from typing import Protocol

from torch import Tensor


class Codec(Protocol):
    """Images to latents of about standard deviation 1, and back."""

    @property
    def channels(self) -> int:
        """Channels of the latents."""

    @property
    def factor(self) -> int:
        """Pixels along each side of a latent cell."""

    @property
    def digest(self) -> str:
        """Of everything that decides the latents: two codecs of one digest encode alike."""

    @property
    def quick(self) -> bool:
        """Whether encoding costs so little that latents are not worth keeping."""

    @property
    def grain(self) -> int:
        """Pixels along each side of a cell of the noise that `white` takes."""

    def white(self, noise: Tensor) -> Tensor:
        """White noise (B, C', H / grain, W / grain), C' = 1 on pixels, else channels -> of the latents, as white."""

    def encode(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) in [-1, 1] -> (B, channels, H / factor, W / factor) float32."""

    def decode(self, latents: Tensor) -> Tensor:
        """(B, channels, h, w) -> (B, 1, h * factor, w * factor) float32, not clipped to [-1, 1]."""

    def sketch(self, latents: Tensor) -> Tensor:
        """As decode, by the quickest way that needs no trained decoder; gradients flow."""

    def save(self, folder: Path) -> list[str]:
        """Write it; returns its entry in the model's index: library and class."""
