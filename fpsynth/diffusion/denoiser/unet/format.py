"""Whether a directory's parts are there and fit each other, told by its files and configs before weights are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fpsynth.errors import UserError
from fpsynth.model_folder import read_json

PARTS = ("text_encoder", "tokenizer", "scheduler")
"""That a U-Net needs beside itself, its ControlNet and its codec."""
SPOKEN = (None, "text")
"""What the U-Net may be told beside the time (addition_embed_type): SDXL's asks for more."""
PROJECTION = "image_proj.proj.weight"


def check_format(folder: Path) -> None:
    """Raises UserError for a U-Net without its parts, or one that must be told things that are not said here."""
    for part in PARTS:
        if not (folder / part).is_dir():
            raise UserError(f"{folder}: {part}/ is missing, which the U-Net needs")
    unet, words = _config(folder, "unet"), _config(folder, "text_encoder")
    if (asked := unet.get("addition_embed_type")) not in SPOKEN:
        raise UserError(f"{folder / 'unet'}: addition_embed_type {asked} is not said here (SDXL is not supported)")
    if (taken := unet.get("in_channels")) != (given := unet.get("out_channels")):
        raise UserError(
            f"{folder / 'unet'}: takes {taken} channels and gives {given} (inpainting U-Nets cannot be used)"
        )
    if (width := unet.get("cross_attention_dim")) != words.get("hidden_size"):
        raise UserError(f"{folder}: unet/ hears words of width {width}, text_encoder/ says {words.get('hidden_size')}")


def check_control(folder: Path, planes: tuple[str, ...]) -> None:
    """Raises UserError unless there is a ControlNet on so many planes that goes with the U-Net."""
    if not (folder / "controlnet").is_dir():
        begun = "`fpsynth train denoiser train/base --set start=DIR` begins one"
        raise UserError(f"{folder}: controlnet/ is missing, so ridges cannot be said; {begun}")
    control, unet = _config(folder, "controlnet"), _config(folder, "unet")
    if (channels := control.get("conditioning_channels", 3)) != len(planes):
        told = f"takes {channels} planes, and is to be told {len(planes)}: {', '.join(planes)}"
        raise UserError(f"{folder / 'controlnet'}: {told}")
    for key in ("cross_attention_dim", "block_out_channels", "in_channels"):
        if key in control and control[key] != unet.get(key):
            raise UserError(f"{folder / 'controlnet'}: is of another U-Net ({key} {control[key]}, not {unet.get(key)})")


def check_style(folder: Path, adapter: Mapping[str, Tensor]) -> None:
    """Raises UserError for an IP-Adapter of another kind, or one without its image encoder."""
    if PROJECTION not in adapter:
        raise UserError(f"{folder / 'ip_adapter'}: no plain IP-Adapter (without {PROJECTION}); others cannot be used")
    if not (folder / "image_encoder").is_dir():
        raise UserError(f"{folder}: image_encoder/ is missing, through which the IP-Adapter sees")
    said, heard = _config(folder, "image_encoder").get("projection_dim", 512), adapter[PROJECTION].shape[1]
    if said != heard:
        raise UserError(f"{folder}: image_encoder/ says styles of width {said}, ip_adapter/ hears {heard}")


def _config(folder: Path, part: str) -> Mapping[str, Any]:
    return read_json(folder / part / "config.json")
