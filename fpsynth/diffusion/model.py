"""A model in memory: the standard parts, on one device, ready to sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection
from transformers.utils import logging as transformers_logging

from fpsynth.conditioning.style import style_pixels
from fpsynth.diffusion.bundle import ADAPTER, STUDENT_LORA, check_bundle, load_adapter, read_tensors
from fpsynth.errors import DamagedFile, UserError


@dataclass(frozen=True)
class Model:
    """The parts; schedule is the scheduler's config, factor the pixels along a latent cell."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    image_encoder: CLIPVisionModelWithProjection
    schedule: Mapping[str, Any]
    device: str
    dtype: torch.dtype

    @property
    def factor(self) -> int:
        """Pixels along each side of a latent cell."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def text(self, prompts: Sequence[str]) -> Tensor:
        """(B, tokens, context): the encoded prompts, cut or padded to the model's length."""
        ids = self.tokenizer(
            list(prompts),
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return self.text_encoder(ids.to(self.device))[0]

    def style(self, images: Sequence[Tensor | None]) -> Tensor:
        """(B, 1, D) embeddings of (H, W) uint8 style images; zeros where there is none."""
        embeds = torch.zeros(
            len(images), self.image_encoder.config.projection_dim, device=self.device, dtype=self.dtype
        )
        for row, image in enumerate(images):
            if image is not None:
                pixels = style_pixels(image)[None].to(self.device, self.dtype)
                embeds[row] = self.image_encoder(pixels).image_embeds[0]
        return embeds[:, None]

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, H, W) uint8 on the CPU."""
        image = self.vae.decode(latents.to(self.vae.dtype) / self.vae.config.scaling_factor).sample[:, 0].float()
        return ((image / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).cpu()


def natural_dtype(device: str) -> torch.dtype:
    """fp16 on CUDA; on the CPU bf16 where it has instructions for it, else fp32."""
    if device != "cpu":
        return torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


def load_model(
    folder: Path, device: str = "cpu", student: str | None = None, dtype: torch.dtype | None = None
) -> Model:
    """Load a model directory; student names the few-step U-Net to use in place of the base one.

    Raises UserError where there is no model or no such student, DamagedFile (naming the file) for weights that cannot
    be read.
    """
    check_bundle(folder)
    _be_quiet()
    kind = dtype or natural_dtype(device)
    try:
        return _load(folder, device, student, kind)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DamagedFile(f"{folder}: the model cannot be loaded ({first})") from error


def _load(folder: Path, device: str, student: str | None, dtype: torch.dtype) -> Model:
    """The autoencoder stays in fp32 on CUDA: fp16 convolutions may overflow, and its share of the time is small."""
    place = {"device": device, "memory_format": torch.channels_last}
    vae_dtype = torch.float32 if device != "cpu" else dtype
    unet = _unet(folder, student, dtype)
    load_adapter(unet, {key: value.to(dtype) for key, value in read_tensors(folder / ADAPTER).items()})
    plain = {"local_files_only": True, "dtype": dtype}
    return Model(
        unet.to(dtype=dtype).to(**place).eval(),
        ControlNetModel.from_pretrained(folder / "controlnet", dtype=dtype).to(**place).eval(),
        AutoencoderKL.from_pretrained(folder / "vae", dtype=vae_dtype).to(**place).eval(),
        CLIPTextModel.from_pretrained(folder / "text_encoder", **plain).to(device).eval(),
        CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder", **plain).to(device).eval(),
        dict(DDIMScheduler.load_config(folder / "scheduler")),
        device,
        dtype,
    )


def _unet(folder: Path, student: str | None, dtype: torch.dtype) -> UNet2DConditionModel:
    base = folder / "unet"
    if student is None:
        return UNet2DConditionModel.from_pretrained(base, dtype=dtype)
    home = folder / "students" / student
    if (home / "unet").is_dir():
        return UNet2DConditionModel.from_pretrained(home / "unet", dtype=dtype)
    if not (home / STUDENT_LORA).is_file():
        raise UserError(f"{folder} has no student {student!r}; it has: {', '.join(students(folder)) or 'none'}")
    unet = UNet2DConditionModel.from_pretrained(base, dtype=dtype)
    unet.load_lora_adapter(read_tensors(home / STUDENT_LORA), prefix="unet")
    unet.fuse_lora()
    unet.unload_lora()
    return unet


def students(folder: Path) -> list[str]:
    """The names of a model's students."""
    return sorted(p.name for p in (folder / "students").glob("*") if p.is_dir())


def _be_quiet() -> None:
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
