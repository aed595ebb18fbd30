"""A U-Net denoiser in a model directory: the components of the stock pipeline, and the adapter beside them.

unet/ controlnet/ text_encoder/ tokenizer/ image_encoder/ feature_extractor/
ip_adapter/ip_adapter.safetensors
students/NAME/unet/            a student with weights of its own, or
students/NAME/pytorch_lora_weights.safetensors
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTokenizer

from fpsynth.conditioning.style import STYLE_SIZE
from fpsynth.diffusion.bundle import SHARD, read_tensors
from fpsynth.diffusion.denoiser.unet.adapter import adapter_state, plain_unet
from fpsynth.errors import UserError

ADAPTER = Path("ip_adapter") / "ip_adapter.safetensors"
STUDENT_LORA = "pytorch_lora_weights.safetensors"
LOCAL: Mapping[str, Any] = {"local_files_only": True, "use_safetensors": True}
"""How parts are read: from the directory, and from safetensors alone."""
INDEX: Mapping[str, Any] = {
    "_class_name": "StableDiffusionControlNetPipeline",
    "controlnet": ["diffusers", "ControlNetModel"],
    "feature_extractor": ["transformers", "CLIPImageProcessorPil"],
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
}
"""What the model's index says of the parts, for `StableDiffusionControlNetPipeline.from_pretrained`."""


def save_parts(folder: Path, parts: Mapping[str, Any], tokenizer: CLIPTokenizer) -> Mapping[str, Any]:
    """Write a UnetDenoiser's parts in fp16; returns INDEX, as far as there are such parts.

    The stock pipeline wants the U-Net without the adapter.
    """
    tokenizer.save_pretrained(folder / "tokenizer")
    if encoder := parts.get("image_encoder"):
        style_processor(encoder).save_pretrained(folder / "feature_extractor")
        save_adapter(adapter_state(parts["network"]), folder)
    plain = {"unet": plain_unet(parts["network"]), **{name: part for name, part in parts.items() if name != "network"}}
    for name, part in plain.items():
        part.to(torch.float16).save_pretrained(folder / name, max_shard_size=SHARD)
    return INDEX if encoder else {**INDEX, "image_encoder": [None, None], "feature_extractor": [None, None]}


def save_adapter(adapter: Mapping[str, Tensor], folder: Path) -> None:
    """Write an IP-Adapter's flat state dict in fp16."""
    (folder / ADAPTER).parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.half().contiguous() for key, value in adapter.items()}, folder / ADAPTER)


def save_student(unet: UNet2DConditionModel, folder: Path) -> None:
    """A student's U-Net without its adapter; where it learnt by a LoRA, that alone, as diffusers' pipelines load it."""
    if not hasattr(unet, "peft_config"):
        plain_unet(unet).to(torch.float16).save_pretrained(folder / "unet", max_shard_size=SHARD)
        return
    from diffusers.loaders import StableDiffusionLoraLoaderMixin

    from fpsynth.diffusion.denoiser.unet.lora import lora_state

    StableDiffusionLoraLoaderMixin.save_lora_weights(folder, unet_lora_layers=lora_state(unet))


def take_student(unet: UNet2DConditionModel, folder: Path) -> None:
    """Go on from what save_student wrote. Raises UserError where it is of another shape, DamagedFile for no weights."""
    try:
        if not hasattr(unet, "peft_config"):
            given = UNet2DConditionModel.from_pretrained(folder / "unet", dtype=unet.dtype, **LOCAL)
            unet.load_state_dict({**unet.state_dict(), **given.state_dict()})
            return
        from fpsynth.diffusion.denoiser.unet.lora import take_lora

        take_lora(unet, read_tensors(folder / STUDENT_LORA))
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder}: no student of this shape ({str(error).splitlines()[0]})") from None


def style_processor(encoder: Any) -> Any:
    """What turns a style image into the image encoder's input in the stock pipeline; see adapter.embeds_of."""
    from transformers import CLIPImageProcessorPil  # slow to import, and only needed here

    if (side := int(encoder.config.image_size)) != STYLE_SIZE:
        return CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    size = {"height": STYLE_SIZE, "width": STYLE_SIZE}
    return CLIPImageProcessorPil(
        size={"shortest_edge": STYLE_SIZE}, crop_size=size, resample=2, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
