"""An IP-Adapter inside a U-Net while it learns: attached, told apart from the base, and frozen apart from it.

The projection's two biases stay 0, so the zero embedding gives zero tokens, and "no style" is exactly the base model.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from fpsynth.conditioning.style import STYLE_SIZE

TOKENS = 4
"""Tokens that a style image becomes; diffusers takes no other number in this form of the adapter."""


def attach(unet: UNet2DConditionModel, embedding: int) -> None:
    """Load a fresh adapter for style embeddings of this width into the U-Net.

    Its keys and values begin as copies of the text's (Ye et al., IP-Adapter, 2023); weights are torch's generator's.
    """
    context = unet.config.cross_attention_dim
    projection = nn.Linear(embedding, TOKENS * context)
    flat = {
        "image_proj.proj.weight": projection.weight.detach(),
        "image_proj.proj.bias": torch.zeros(TOKENS * context),
        "image_proj.norm.weight": torch.ones(context),
        "image_proj.norm.bias": torch.zeros(context),
    }
    for number, name in enumerate(_cross_attentions(unet)):
        for part in ("to_k", "to_v"):
            weight = unet.get_parameter(f"{name}.{part}.weight")
            flat[f"ip_adapter.{2 * number + 1}.{part}_ip.weight"] = weight.detach().clone()
    load_adapter(unet, flat)
    fix_biases(unet)


def fix_biases(unet: UNet2DConditionModel) -> None:
    """Keep the two biases of a loaded adapter's projection as they are, if there is one."""
    if unet.encoder_hid_proj is None:
        return
    layer = unet.encoder_hid_proj.image_projection_layers[0]
    for bias in (layer.image_embeds.bias, layer.norm.bias):
        bias.requires_grad_(False)


def embeds_of(encoder: Any, pixels: Tensor) -> Tensor:
    """What an image encoder says (B, D) of style images (B, 3, 128, 128) in [-1, 1].

    One of another size is CLIP's own: it gets them enlarged, and normalised as CLIP's pictures are.
    """
    side = int(encoder.config.image_size)
    if side != STYLE_SIZE:
        mean, deviation = (
            torch.tensor(x).to(pixels.device)[:, None, None] for x in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
        )
        larger = F.interpolate(pixels.float(), (side, side), mode="bicubic", antialias=True, align_corners=False)
        pixels = ((larger / 2 + 0.5 - mean) / deviation).to(pixels.dtype)
    embeds: Tensor = encoder(pixels).image_embeds
    return embeds


def _cross_attentions(unet: UNet2DConditionModel) -> list[str]:
    """Names of the attentions to words, in the order of unet.attn_processors, which is that of the file's keys."""
    return [name.removesuffix(".processor") for name in unet.attn_processors if not name.endswith("attn1.processor")]


def is_adapter(name: str) -> bool:
    """Whether a parameter of the U-Net belongs to the adapter."""
    return "_ip." in name or name.startswith("encoder_hid_proj.")


def adapter_parameters(unet: UNet2DConditionModel) -> Iterator[nn.Parameter]:
    """The adapter's parameters."""
    return (p for name, p in unet.named_parameters() if is_adapter(name))


def base_state(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """The U-Net's state without the adapter."""
    return {name: tensor for name, tensor in unet.state_dict().items() if not is_adapter(name)}


def adapter_state(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """The flat state dict of the IP-Adapter that a U-Net has loaded: image_proj.* and ip_adapter.{1,3,5..}.*.

    The numbers follow the cross-attention processors in the order of unet.attn_processors (down, up, mid).
    """
    projection = unet.encoder_hid_proj.image_projection_layers[0].state_dict()
    flat = {"image_proj." + key.replace("image_embeds.", "proj."): value for key, value in projection.items()}
    crossing = [p for p in unet.attn_processors.values() if hasattr(p, "to_k_ip")]
    for number, processor in enumerate(crossing):
        flat[f"ip_adapter.{2 * number + 1}.to_k_ip.weight"] = processor.to_k_ip[0].weight
        flat[f"ip_adapter.{2 * number + 1}.to_v_ip.weight"] = processor.to_v_ip[0].weight
    return {key: value.detach().cpu() for key, value in flat.items()}


def load_adapter(unet: UNet2DConditionModel, flat: Mapping[str, Tensor]) -> None:
    """Put an IP-Adapter into a U-Net, in place."""
    nested: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, value in flat.items():
        kind, name = key.split(".", 1)
        nested[kind][name] = value
    unet._load_ip_adapter_weights([nested], low_cpu_mem_usage=False)


def plain_unet(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A copy of a U-Net without its adapter."""
    left_out = ("encoder_hid_dim_type", "_use_default_values")  # the second would undo what was set after the start
    config = {key: value for key, value in unet.config.items() if key not in left_out}
    plain = UNet2DConditionModel.from_config(config)
    plain.load_state_dict(deepcopy(base_state(unet)))
    return plain
