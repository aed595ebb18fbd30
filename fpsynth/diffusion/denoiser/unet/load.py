"""Reading a U-Net denoiser from a model directory."""

from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from fpsynth.diffusion.bundle import read_tensors
from fpsynth.diffusion.denoiser.unet.adapter import load_adapter
from fpsynth.diffusion.denoiser.unet.files import ADAPTER, STUDENT_LORA
from fpsynth.diffusion.denoiser.unet.unet import UnetDenoiser
from fpsynth.errors import DamagedFile


def load_unet(
    folder: Path, student: str | None, device: str, dtype: torch.dtype, planes: tuple[str, ...]
) -> UnetDenoiser:
    """The parts on a device; student names the few-step U-Net to use in place of the base one."""
    place: dict[str, Any] = {"device": device, "memory_format": torch.channels_last}
    plain: dict[str, Any] = {"local_files_only": True, "dtype": dtype}
    unet = _unet(folder, student, dtype)
    load_adapter(unet, {key: value.to(dtype) for key, value in read_tensors(folder / ADAPTER).items()})
    image_encoder: Any = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder", **plain)
    text_encoder: Any = CLIPTextModel.from_pretrained(folder / "text_encoder", **plain)
    return UnetDenoiser(
        unet=unet.to(dtype=dtype).to(**place).eval(),
        controlnet=ControlNetModel.from_pretrained(folder / "controlnet", dtype=dtype).to(**place).eval(),
        text_encoder=text_encoder.to(device).eval(),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        image_encoder=image_encoder.to(device).eval(),
        planes=planes,
    )


def _unet(folder: Path, student: str | None, dtype: torch.dtype) -> UNet2DConditionModel:
    home = folder / "students" / str(student)
    if student is None or not (home / "unet").is_dir():
        unet = UNet2DConditionModel.from_pretrained(folder / "unet", dtype=dtype)
        return unet if student is None else _with_lora(unet, home / STUDENT_LORA)
    return UNet2DConditionModel.from_pretrained(home / "unet", dtype=dtype)


def _with_lora(unet: UNet2DConditionModel, path: Path) -> UNet2DConditionModel:
    if not path.is_file():
        raise DamagedFile(f"{path.parent}: neither unet/ nor {path.name} is there")
    unet.load_lora_adapter(read_tensors(path), prefix="unet")
    unet.fuse_lora()
    unet.unload_lora()
    return unet
