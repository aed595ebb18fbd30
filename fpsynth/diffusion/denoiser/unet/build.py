"""A new, untrained U-Net denoiser of standard diffusers and transformers parts."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModelWithProjection

from fpsynth.conditioning.style import STYLE_SIZE
from fpsynth.conditioning.tokenizer import build_tokenizer
from fpsynth.diffusion.denoiser.unet.adapter import attach
from fpsynth.diffusion.denoiser.unet.highway import open_highway
from fpsynth.diffusion.denoiser.unet.unet import UnetDenoiser
from fpsynth.errors import UserError

GATHER = 1.4
"""Weight with which a pixel is passed on: the activation after it, x sigmoid(x), takes about as much away."""
Width = Annotated[PositiveInt, Field(multiple_of=32)]


class UnetSettings(BaseModel):
    """widths: channels of the U-Net, one a level (multiples of 64: others are slow in bf16); the last ones attend."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["unet"] = "unet"
    widths: tuple[Width, ...] = Field(default=(64, 64, 128, 128), min_length=2)
    attend: PositiveInt = Field(default=2, description="levels with attention, from the smallest")
    layers: PositiveInt = 1
    heads: PositiveInt = 2
    context: PositiveInt = Field(default=128, description="width of words and style tokens, a multiple of 64")
    tokens: PositiveInt = Field(default=32, description="longest prompt")
    control_widths: tuple[PositiveInt, ...] | None = Field(
        default=None, description="channels of the planes on their way to the latents' grid, one a halving and one more"
    )
    highway: bool = Field(default=False, description="begin by saying the noisy latent, for who predicts the clean one")
    control_start: NonNegativeFloat = Field(default=0.05, description="deviation of the ControlNet's output weights")

    def build(self, channels: int, factor: int, planes: Sequence[str], seed: int) -> UnetDenoiser:
        """For latents of so many channels, `factor` pixels a cell, with a style adapter in the U-Net.

        From scratch there is nothing that the ControlNet could spoil, so its outputs need not begin at zero.
        """
        torch.manual_seed(seed)
        parts = build_parts(self, channels, factor, planes)
        denoiser = UnetDenoiser(**parts, planes=tuple(planes))
        for conv in control_outputs(denoiser.controlnet):
            nn.init.normal_(conv.weight, std=self.control_start)
        gather_cells(denoiser.controlnet.controlnet_cond_embedding)
        if self.highway and not open_highway(denoiser.unet):
            text = f"network.highway: the first level must be wider for {channels} latent channels, and not attend"
            raise UserError(text)
        attach(denoiser.unet, parts["image_encoder"].config.projection_dim)  # last: what is registered undoes it
        return denoiser


def build_parts(size: UnetSettings, channels: int, factor: int, planes: Sequence[str]) -> dict[str, Any]:
    """The parts by their names in UnetDenoiser. Weights come from torch's generator."""
    tokenizer = build_tokenizer(size.tokens)
    unet = build_unet(size, channels, 512 // factor)
    return {
        "tokenizer": tokenizer,
        "unet": unet,
        "controlnet": build_controlnet(unet, factor, len(planes), size.control_widths),
        "text_encoder": build_text_encoder(size, tokenizer),
        "image_encoder": build_image_encoder(size),
    }


def control_outputs(controlnet: ControlNetModel) -> list[nn.Conv2d]:
    """The convolutions that a ControlNet begins with at zero."""
    return [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]


@torch.no_grad()
def gather_cells(embedding: Any) -> None:
    """Begin a ControlNetConditioningEmbedding by gathering the pixels of a cell into channels, so that none is lost.

    From any other start it takes long until a ControlNet of 8 pixels a cell finds out where in its cell a ridge lies.
    Channels that are not needed for it keep torch's start; from where there are too few on, all do.
    """
    convs: list[nn.Conv2d] = [embedding.conv_in, *embedding.blocks]
    known = embedding.conv_in.in_channels
    for conv in convs:
        gathered = known * conv.stride[0] ** 2
        if conv.out_channels < gathered:
            break
        conv.weight[:gathered] = 0
        for out in range(gathered):
            pixel, channel = divmod(out, known)
            conv.weight[out, channel, 1 + pixel // 2, 1 + pixel % 2] = GATHER
        if conv.bias is not None:
            conv.bias.zero_()
        known = gathered
    nn.init.xavier_normal_(embedding.conv_out.weight)


def build_unet(size: UnetSettings, channels: int, sample: int) -> UNet2DConditionModel:
    """The network that predicts."""
    attend = min(size.attend, len(size.widths))
    plain = len(size.widths) - attend
    return UNet2DConditionModel(
        sample_size=sample,
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",) * attend,
        up_block_types=("CrossAttnUpBlock2D",) * attend + ("UpBlock2D",) * plain,
        block_out_channels=size.widths,
        layers_per_block=size.layers,
        cross_attention_dim=size.context,
        attention_head_dim=size.heads,  # diffusers reads it as the number of heads
        norm_num_groups=16,
        addition_embed_type="text",  # the prompt shifts every block, as time does: it says what holds everywhere
    )


def build_controlnet(
    unet: UNet2DConditionModel, factor: int, planes: int, widths: tuple[int, ...] | None = None
) -> ControlNetModel:
    """Must be made before an IP-Adapter is loaded. The planes reach the latents' grid in log2(factor) steps.

    Raises UserError for a wrong number of widths.
    """
    widths = widths or tuple(16 * 2**i for i in range(factor.bit_length()))
    if len(widths) != factor.bit_length():
        raise UserError(f"control_widths wants {factor.bit_length()} numbers for {factor} pixels a latent cell")
    return ControlNetModel.from_unet(unet, conditioning_channels=planes, conditioning_embedding_out_channels=widths)


def build_text_encoder(size: UnetSettings, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Two layers: the language is one template."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=size.context,
            intermediate_size=2 * size.context,
            num_hidden_layers=2,
            num_attention_heads=size.heads,
            max_position_embeddings=size.tokens,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_image_encoder(size: UnetSettings) -> CLIPVisionModelWithProjection:
    """What the IP-Adapter sees style images through."""
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=size.context,
            intermediate_size=2 * size.context,
            num_hidden_layers=3,
            num_attention_heads=size.heads,
            image_size=STYLE_SIZE,
            patch_size=16,
            projection_dim=size.context,
        )
    )
