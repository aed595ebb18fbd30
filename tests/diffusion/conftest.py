"""A tiny untrained model on disk: what is tested here does not depend on what it has learnt."""

import pytest
import torch
from diffusers import AutoencoderKL

from fpsynth.diffusion.codec import KLCodec
from fpsynth.diffusion.denoiser.unet import UnetDenoiser, UnetSettings
from fpsynth.diffusion.denoiser.unet.adapter import load_adapter
from fpsynth.diffusion.denoiser.unet.build import build_parts, build_unet
from fpsynth.diffusion.model import Model, load_model, save_model
from fpsynth.diffusion.samplers import sampler_of
from fpsynth.diffusion.schedule import tangent_schedule
from fpsynth.model_folder import PLANES, Knows

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
    size = UnetSettings(widths=(32, 32, 32, 64), context=WIDTH, heads=4)
    parts = build_parts(size, 4, 4, PLANES)
    control = parts["controlnet"]
    with torch.no_grad():
        for module in (*control.controlnet_down_blocks, control.controlnet_mid_block):
            module.weight.normal_(std=0.3)  # zero at birth: the planes would change nothing
        control.controlnet_cond_embedding.conv_out.weight.normal_(std=0.3)
    load_adapter(parts["unet"], tiny_adapter(parts["unet"]))
    denoiser = UnetDenoiser(**parts, planes=PLANES)
    model = Model(denoiser=denoiser, codec=KLCodec(tiny_autoencoder()), schedule=tangent_schedule("v_prediction"))
    save_model(folder, model, Knows(slots={"sensor": ("optical",)}, sides=(512,), ppi=(500,)))
    home = folder / "students" / "default"
    build_unet(size, 4, 16).half().save_pretrained(home / "unet")
    sampler_of("tcd").scheduler(model.schedule, 4).save_pretrained(home / "scheduler")
    return folder


@pytest.fixture(scope="session")
def model(bundle):
    return load_model(bundle, dtype=torch.float32)
