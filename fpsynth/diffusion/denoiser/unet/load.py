"""Reading a U-Net denoiser from a model directory: of this program, or of Stable Diffusion 1.5's format."""

from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from fpsynth.diffusion.bundle import read_tensors
from fpsynth.diffusion.denoiser.unet.adapter import load_adapter
from fpsynth.diffusion.denoiser.unet.build import build_controlnet, gather_cells
from fpsynth.diffusion.denoiser.unet.files import ADAPTER, LOCAL, STUDENT_LORA
from fpsynth.diffusion.denoiser.unet.format import check_control, check_format, check_style
from fpsynth.diffusion.denoiser.unet.unet import UnetDenoiser
from fpsynth.errors import DamagedFile
from fpsynth.model_folder import read_json


def load_unet(
    folder: Path, student: str | None, device: str, dtype: torch.dtype, planes: tuple[str, ...]
) -> UnetDenoiser:
    """The parts on a device; student names the few-step U-Net to use in place of the base one.

    Raises UserError where a part is missing or does not fit the others. Without an IP-Adapter it hears of no style.
    """
    check_format(folder)
    check_control(folder, planes)
    unet = _unet(folder, student, dtype)
    return _placed(folder, unet, _read(ControlNetModel, folder / "controlnet", dtype), (device, dtype), planes)


def begin_unet(
    folder: Path, student: str | None, device: str, dtype: torch.dtype, planes: tuple[str, ...]
) -> UnetDenoiser:
    """The same, with a new ControlNet where there is none: the U-Net's own weights, and outputs of zero."""
    if (folder / "controlnet").is_dir():
        return load_unet(folder, student, device, dtype, planes)
    check_format(folder)
    unet = _unet(folder, student, dtype)
    levels = read_json(folder / "vae" / "config.json")["block_out_channels"]
    controlnet = build_controlnet(unet, 2 ** (len(levels) - 1), len(planes))
    gather_cells(controlnet.controlnet_cond_embedding)
    return _placed(folder, unet, controlnet, (device, dtype), planes)


def _placed(
    folder: Path,
    unet: UNet2DConditionModel,
    controlnet: ControlNetModel,
    where: tuple[str, torch.dtype],
    planes: tuple[str, ...],
) -> UnetDenoiser:
    """U-Net and ControlNet with all that tells them things."""
    device, dtype = where
    place: dict[str, Any] = {"device": device, "memory_format": torch.channels_last}
    image_encoder = _eyes(folder, unet, dtype)
    text_encoder = _read(CLIPTextModel, folder / "text_encoder", dtype)
    return UnetDenoiser(
        unet=unet.to(dtype=dtype).to(**place).eval(),
        controlnet=controlnet.to(dtype=dtype).to(**place).eval(),
        text_encoder=text_encoder.to(device).eval(),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        image_encoder=None if image_encoder is None else image_encoder.to(device).eval(),
        planes=planes,
    )


def _read(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    return kind.from_pretrained(folder, dtype=dtype, **LOCAL)


def _eyes(folder: Path, unet: UNet2DConditionModel, dtype: torch.dtype) -> Any:
    """Put the directory's IP-Adapter into the U-Net; returns its image encoder, or None where there is no adapter."""
    if not (folder / ADAPTER).parent.is_dir():
        return None
    flat = read_tensors(folder / ADAPTER)
    check_style(folder, flat)
    load_adapter(unet, {key: value.to(dtype) for key, value in flat.items()})
    return _read(CLIPVisionModelWithProjection, folder / "image_encoder", dtype)


def _unet(folder: Path, student: str | None, dtype: torch.dtype) -> UNet2DConditionModel:
    home = folder / "students" / str(student)
    if student is None or not (home / "unet").is_dir():
        unet: UNet2DConditionModel = _read(UNet2DConditionModel, folder / "unet", dtype)
        return unet if student is None else _with_lora(unet, home / STUDENT_LORA)
    own: UNet2DConditionModel = _read(UNet2DConditionModel, home / "unet", dtype)
    return own


def _with_lora(unet: UNet2DConditionModel, path: Path) -> UNet2DConditionModel:
    if not path.is_file():
        raise DamagedFile(f"{path.parent}: neither unet/ nor {path.name} is there")
    unet.load_lora_adapter(read_tensors(path), prefix="unet")
    unet.fuse_lora()
    unet.unload_lora()
    return unet
