"""diffusers' AutoencoderKL as a codec."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from fpsynth.diffusion.codec.block_transform import BlockTransform
from fpsynth.diffusion.codec.closed_form import read_encoder
from fpsynth.errors import UserError

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in a grey level (ITU-R BT.601), as Pillow takes them."""


@dataclass(frozen=True)
class KLCodec:
    """An autoencoder of one grey channel, or of three, which are shown grey three times and give back their luma.

    What it gives back lies where that lies which it is given.
    """

    vae: AutoencoderKL

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return int(self.vae.config.latent_channels)

    @property
    def factor(self) -> int:
        """Pixels along each side of a latent cell."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def _scale(self) -> float:
        return float(self.vae.config.scaling_factor)

    @property
    def grain(self) -> int:
        """Pixels a cell of the noise that `white` takes: 1 where the latents are the pixels, turned."""
        return 1 if self._lossless else self.factor

    @property
    def quick(self) -> bool:
        """Whether it encodes by one matrix."""
        return self.linear is not None

    @property
    def _lossless(self) -> bool:
        return self.linear is not None and self.linear.lossless

    @cached_property
    def linear(self) -> BlockTransform | None:
        """The closed form of the encoder, where it has one."""
        return read_encoder(self.vae)

    @cached_property
    def digest(self) -> str:
        """sha256 of what decides the latents: encoder weights and scale."""
        total = sha256(repr(self._scale).encode())
        for name, tensor in sorted(self.vae.state_dict().items()):
            if name.startswith(("encoder.", "quant_conv.")):
                total.update(name.encode() + tensor.float().cpu().contiguous().numpy().tobytes())
        return total.hexdigest()

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) in [-1, 1] -> latents (B, C, h, w).

        A closed-form encoder is applied as the matrix that it is, which is some twenty times faster.
        """
        if self.linear is not None:
            return self.linear.encode(images) * self._scale
        shown = images.expand(-1, int(self.vae.config.in_channels), -1, -1)
        latents: Tensor = self.vae.encode(self._placed(shown)).latent_dist.mode()
        return latents.to(images.device, torch.float32) * self._scale

    def white(self, noise: Tensor) -> Tensor:
        """Noise of its grain -> noise of the latents."""
        return self.linear.turn(noise) if self.linear is not None and self._lossless else noise

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, C, h, w) -> (B, 1, H, W) float32: by the exact inverse where there is one, not the decoder."""
        return self.sketch(latents) if self._lossless else self._decoded(latents)

    def _decoded(self, latents: Tensor) -> Tensor:
        images: Tensor = self.vae.decode(self._placed(latents) / self._scale).sample
        images = images.to(latents.device, torch.float32)
        return images if images.shape[1] == 1 else luma(images)

    def _placed(self, x: Tensor) -> Tensor:
        """Where the weights are, which follow what they are given to a GPU and stay there."""
        if x.device.type != "cpu":
            self.vae.to(x.device)
        weight = self.vae.encoder.conv_in.weight
        return x.to(weight.device, weight.dtype)

    def sketch(self, latents: Tensor) -> Tensor:
        """By the least-squares inverse of a closed-form encoder; an encoder of any other kind gets its own decoder."""
        if self.linear is None:
            return self._decoded(latents)
        return self.linear.decode(latents.float() / self._scale)

    def save(self, folder: Path) -> list[str]:
        """Write it in fp16."""
        self.vae.to(torch.float16).save_pretrained(folder)
        return ["diffusers", "AutoencoderKL"]


def luma(images: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W), of colours as a picture can hold them: each clipped to [-1, 1]."""
    return torch.einsum("bchw,c->bhw", images.clamp(-1, 1), images.new_tensor(LUMA))[:, None]


def load_kl(folder: Path, device: str, dtype: torch.dtype) -> KLCodec:
    """In fp32 on CUDA: fp16 convolutions may overflow, and decoding takes a small share of the time.

    The digest and the closed form are those of the weights as they are stored, whatever they are rounded to here.
    Raises UserError for one whose pictures are neither grey nor in colour.
    """
    vae = AutoencoderKL.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    kinds = {int(vae.config.in_channels), int(vae.config.out_channels)}
    if kinds not in ({1}, {len(LUMA)}):
        raise UserError(f"{folder}: pictures of {max(kinds)} channels; 1 (grey) or {len(LUMA)} (RGB) can be used")
    codec = KLCodec(vae.to(memory_format=torch.channels_last).eval())
    _ = codec.digest, codec.linear
    vae.to(device=device, dtype=torch.float32 if device != "cpu" else dtype)
    return codec
