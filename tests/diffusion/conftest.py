"""A tiny untrained model on disk: what is tested here does not depend on what it has learnt."""

import pytest
import torch
from diffusers import AutoencoderKL

from fpsynth.diffusion.bundle import save_bundle, save_student
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.parts import Size, build_parts, build_schedule, build_unet

WIDTH = 64


def tiny_autoencoder():
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 16, 16),
        latent_channels=4,
        norm_num_groups=8,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=0.7,
    )


def tiny_adapter(unet):
    """Random weights under the keys that diffusers' IP-Adapter loader reads."""
    flat = {
        "image_proj.proj.weight": torch.randn(4 * WIDTH, WIDTH),
        "image_proj.proj.bias": torch.randn(4 * WIDTH),
        "image_proj.norm.weight": torch.ones(WIDTH),
        "image_proj.norm.bias": torch.zeros(WIDTH),
    }
    crossing = [name for name in unet.attn_processors if "attn2" in name]
    for number, name in enumerate(crossing):
        width = dict(unet.named_modules())[name.removesuffix(".processor")].to_k.out_features
        for key in ("to_k_ip", "to_v_ip"):
            flat[f"ip_adapter.{2 * number + 1}.{key}.weight"] = torch.randn(width, WIDTH)
    return flat


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    size = Size(widths=(32, 32, 32, 64), context=WIDTH)
    parts = build_parts(size, 4, 4, 64)
    with torch.no_grad():
        for module in (*parts.controlnet.controlnet_down_blocks, parts.controlnet.controlnet_mid_block):
            module.weight.normal_(std=0.3)  # zero at birth: the planes would change nothing
        parts.controlnet.controlnet_cond_embedding.conv_out.weight.normal_(std=0.3)
    save_bundle(folder, parts, tiny_autoencoder(), build_schedule(), tiny_adapter(parts.unet))
    save_student(folder, "default", build_unet(size, 4, 16))
    return folder


@pytest.fixture(scope="session")
def model(bundle):
    return load_model(bundle, dtype=torch.float32)
