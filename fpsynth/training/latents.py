"""The bank's latents, encoded once: every image plain and mirrored (mirrored latents are not those of the mirror)."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from fpsynth.training.autoencoder import encode
from fpsynth.training.bank import CHUNK
from fpsynth.training.stream import Bank, to_signed

ENCODE_BATCH = 8


@dataclass(frozen=True)
class LatentBank:
    """Latents of a bank's images: chunks of (64, 2, C, h, w) float16, [plain, mirrored]; `factor` pixels a cell."""

    bank: Bank
    chunks: tuple[np.ndarray, ...]
    factor: int

    @property
    def channels(self) -> int:
        return int(self.chunks[0].shape[2])

    def crop(self, index: int, mirrored: bool, top: int, left: int, size: int) -> Tensor:
        """The latents (C, size/f, size/f) of a crop of the (mirrored) image; top, left and size in pixels."""
        y, x, s = top // self.factor, left // self.factor, size // self.factor
        chunk = self.chunks[index // CHUNK]
        return torch.from_numpy(chunk[index % CHUNK, int(mirrored), :, y : y + s, x : x + s].copy()).float()


def factor_of(vae: AutoencoderKL) -> int:
    """Pixels a latent cell."""
    return 2 ** (len(vae.config.block_out_channels) - 1)


def encode_bank(bank: Bank, vae: AutoencoderKL, device: str, say: Callable[[str], None] = print) -> LatentBank:
    """Encode what this encoder has not encoded yet; the files lie beside the bank's chunks, named by the encoder."""
    name = encoder_digest(vae)[:12]
    count = len(bank) // CHUNK
    paths = [bank.folder / f"latents-{name}-{index:05d}.npy" for index in range(count)]
    missing = [index for index in range(count) if not paths[index].exists()]
    vae = vae.eval().to(device)
    for done, index in enumerate(missing, 1):
        _write(paths[index], _encode_chunk(bank, index, vae, device))
        say(f"latents: {done} of {len(missing)} chunks")
    return LatentBank(bank, tuple(np.load(path, mmap_mode="r") for path in paths), factor_of(vae))


@torch.no_grad()
def _encode_chunk(bank: Bank, index: int, vae: AutoencoderKL, device: str) -> np.ndarray:
    parts = []
    for start in range(index * CHUNK, (index + 1) * CHUNK, ENCODE_BATCH):
        images = to_signed(torch.stack([bank.image(i) for i in range(start, start + ENCODE_BATCH)])[:, None])
        both = [encode(vae, side.to(device)).cpu() for side in (images, images.flip(-1))]
        parts.append(torch.stack(both, 1).half().numpy())
    return np.concatenate(parts)


def _write(path: Path, array: np.ndarray) -> None:
    temporary = path.with_suffix(".part.npy")
    np.save(temporary, array)
    os.replace(temporary, path)


def encoder_digest(vae: AutoencoderKL) -> str:
    """sha256 of what decides the latents: encoder weights and scale."""
    digest = sha256(repr(float(vae.config.scaling_factor)).encode())
    for name, tensor in sorted(vae.state_dict().items()):
        if name.startswith(("encoder.", "quant_conv.")):
            digest.update(name.encode() + tensor.float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
