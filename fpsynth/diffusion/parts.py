"""A new model, small and untrained, of standard diffusers and transformers parts."""

from dataclasses import dataclass

from diffusers import ControlNetModel, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModelWithProjection

from fpsynth.conditioning.style import STYLE_SIZE
from fpsynth.conditioning.tokenizer import build_tokenizer

CONTROL_PLANES = 3
"""ridge, contact, load (fpsynth.conditioning.planes)."""


@dataclass(frozen=True)
class Size:
    """widths: U-Net channels, one a level, multiples of 64 (others are slow in bf16); the last two levels attend."""

    widths: tuple[int, ...] = (64, 64, 128, 128)
    layers: int = 1
    heads: int = 4
    context: int = 128  # a multiple of 64
    tokens: int = 32


@dataclass(frozen=True)
class Parts:
    """Everything but the autoencoder, which is trained before."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    image_encoder: CLIPVisionModelWithProjection


def build_parts(size: Size, channels: int, factor: int, sample: int = 512) -> Parts:
    """Parts for latents of `channels` channels at 1/`factor` of the image. Weights come from torch's generator."""
    tokenizer = build_tokenizer(size.tokens)
    unet = build_unet(size, channels, sample // factor)
    controlnet = build_controlnet(unet, factor)
    return Parts(unet, controlnet, build_text_encoder(size, tokenizer), tokenizer, build_image_encoder(size))


def build_unet(size: Size, channels: int, sample: int) -> UNet2DConditionModel:
    """The denoiser; predicts velocities."""
    plain = len(size.widths) - 2
    return UNet2DConditionModel(
        sample_size=sample,
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",) * plain,
        block_out_channels=size.widths,
        layers_per_block=size.layers,
        cross_attention_dim=size.context,
        attention_head_dim=size.heads,  # diffusers reads it as the number of heads
        norm_num_groups=16,
        addition_embed_type="text",  # the prompt shifts every block, as time does: it says what holds everywhere
    )


def build_controlnet(unet: UNet2DConditionModel, factor: int) -> ControlNetModel:
    """Must be made before an IP-Adapter is loaded. The planes reach the latents' grid in log2(factor) steps."""
    stages = factor.bit_length()
    return ControlNetModel.from_unet(
        unet,
        conditioning_channels=CONTROL_PLANES,
        conditioning_embedding_out_channels=tuple(16 * 2**i for i in range(stages)),
    )


def build_text_encoder(size: Size, tokenizer: CLIPTokenizer) -> CLIPTextModel:
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


def build_image_encoder(size: Size) -> CLIPVisionModelWithProjection:
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


def build_schedule() -> DDIMScheduler:
    """Cosine schedule (Nichol & Dhariwal 2021), velocities (Salimans & Ho 2022), trailing times (Lin et al. 2024)."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )
