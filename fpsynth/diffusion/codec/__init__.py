"""Codec: images to latents and back."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from fpsynth.diffusion.bundle import check_weights
from fpsynth.diffusion.codec.autoencoder import KLCodec, load_kl
from fpsynth.diffusion.codec.protocol import Codec
from fpsynth.errors import UserError
from fpsynth.model_folder import read_json

CODECS: Mapping[str, Callable[[Path, str, torch.dtype], Codec]] = {"AutoencoderKL": load_kl}
"""Class name in the model directory -> how it is loaded: (folder, device, dtype)."""


def load_codec(folder: Path, device: str, dtype: torch.dtype) -> Codec:
    """The codec in a folder, by the class name of its config. Raises UserError for none, or one that is unknown."""
    return CODECS[check_codec(folder)](folder, device, dtype)


def check_codec(folder: Path) -> str:
    """The class name of the codec in a folder, whose weights can be read."""
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: no autoencoder there; `fpsynth train autoencoder` makes one")
    check_weights(folder / "diffusion_pytorch_model.safetensors")
    name = str(read_json(folder / "config.json").get("_class_name"))
    if name not in CODECS:
        raise UserError(f"{folder}: unknown codec {name!r}; one of {', '.join(CODECS)}")
    return name


__all__ = ["CODECS", "Codec", "KLCodec", "check_codec", "load_codec"]
