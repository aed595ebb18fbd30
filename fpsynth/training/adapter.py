"""An IP-Adapter inside a U-Net while it learns: attached, told apart from the base, and frozen apart from it.

The projection's two biases stay 0, so the zero embedding gives zero tokens, and "no style" is exactly the base model.
"""

from collections.abc import Iterator

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from fpsynth.diffusion.bundle import load_adapter

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
    """Keep the two biases of a loaded adapter's projection as they are."""
    layer = unet.encoder_hid_proj.image_projection_layers[0]
    for bias in (layer.image_embeds.bias, layer.norm.bias):
        bias.requires_grad_(False)


def _cross_attentions(unet: UNet2DConditionModel) -> list[str]:
    """Names of the attentions to words, in the order of unet.attn_processors, which is that of the file's keys."""
    return [name.removesuffix(".processor") for name in unet.attn_processors if not name.endswith("attn1.processor")]


def is_adapter(name: str) -> bool:
    """Whether a parameter of the U-Net belongs to the adapter."""
    return "_ip." in name or name.startswith("encoder_hid_proj.")


def adapter_parameters(unet: UNet2DConditionModel) -> Iterator[nn.Parameter]:
    """The adapter's trainable parameters."""
    return (p for name, p in unet.named_parameters() if is_adapter(name) and p.requires_grad)


def base_state(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """The U-Net's state without the adapter."""
    return {name: tensor for name, tensor in unet.state_dict().items() if not is_adapter(name)}
