"""A student of a U-Net as a LoRA: low-rank additions to its layers (Hu et al. 2022), by peft."""

from collections.abc import Mapping

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor

LAYERS = (
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2",
    "conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv",
)  # fmt: skip


def with_lora(unet: UNet2DConditionModel, rank: int, seed: int) -> None:
    """Give the U-Net a LoRA that alone is free to learn.

    The last shortcut has none: a highway's constants lie there, and what moves them moves every cell alike.
    """
    torch.manual_seed(seed)
    unet.requires_grad_(False)
    ups = unet.up_blocks
    last = f"up_blocks.{len(ups) - 1}.resnets.{len(ups[-1].resnets) - 1}.conv_shortcut"
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(LAYERS), exclude_modules=[last]))


def take_lora(unet: UNet2DConditionModel, given: Mapping[str, Tensor]) -> None:
    """Begin with these weights of a LoRA, by the names of diffusers' files. Raises ValueError for another LoRA's."""
    own = get_peft_model_state_dict(unet)
    weights = {key.removeprefix("unet."): value for key, value in given.items()}
    if {key: value.shape for key, value in own.items()} != {key: value.shape for key, value in weights.items()}:
        raise ValueError("another rank, or other layers")
    set_peft_model_state_dict(unet, weights)


def lora_state(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """The weights of the U-Net's LoRA in fp16."""
    return {key: value.half().contiguous() for key, value in get_peft_model_state_dict(unet).items()}
