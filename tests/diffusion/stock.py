"""A directory as diffusers itself writes one of Stable Diffusion 1.5, but tiny and untrained."""

import json

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    PNDMScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from fpsynth.conditioning.tokenizer import build_tokenizer

TEXT, STYLE = 32, 16
"""Widths of the words and of what the image encoder says."""


def stock_autoencoder():
    """RGB, 8 pixels a cell, with the attention and the quant convolutions that SD 1.5 has."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 16, 16, 16),
        latent_channels=4,
        norm_num_groups=8,
        scaling_factor=0.18215,
    )


def stock_unet(channels=4, out=4):
    return UNet2DConditionModel(
        sample_size=64,
        in_channels=channels,
        out_channels=out,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=2,
        cross_attention_dim=TEXT,
        attention_head_dim=8,
    )


def stock_scheduler():
    """That of SD 1.5."""
    return PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )


def stock_tokenizer(folder):
    """CLIP's tokenizer, from the files in which SD 1.5 has it."""
    write_tokenizer(folder)
    return CLIPTokenizer.from_pretrained(folder)


def write_tokenizer(folder):
    """vocab.json and merges.txt; newer libraries write a tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    model = json.loads(build_tokenizer(77).backend_tokenizer.to_str())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    lines = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines]) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"})
    )
    (folder / "tokenizer.json").unlink(missing_ok=True)


def stock_words(tokenizer):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT,
        intermediate_size=2 * TEXT,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def stock_controlnet(unet):
    """As one that has learnt: at birth its outputs are zero, and planes would change nothing."""
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 16, 16, 16))
    with torch.no_grad():
        for module in (*control.controlnet_down_blocks, control.controlnet_mid_block):
            module.weight.normal_(std=0.3)
        control.controlnet_cond_embedding.conv_out.weight.normal_(std=0.3)
    return control


def save_stock(folder, controlled=True, **options):
    """What `save_pretrained` of the stock pipeline writes; controlled: with a ControlNet."""
    torch.manual_seed(0)
    unet, tokenizer = stock_unet(), stock_tokenizer(folder.parent / "tokenizer")
    parts = {
        "vae": stock_autoencoder(),
        "text_encoder": stock_words(tokenizer),
        "tokenizer": tokenizer,
        "unet": unet,
        "scheduler": stock_scheduler(),
        "safety_checker": None,
        "feature_extractor": None,
    }
    if controlled:
        pipe = StableDiffusionControlNetPipeline(
            **parts, controlnet=stock_controlnet(unet), requires_safety_checker=False
        )
    else:
        pipe = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.save_pretrained(folder, **options)
    write_tokenizer(folder / "tokenizer")
    if options.get("safe_serialization", True):
        rename_weights(folder)
    return folder


def rename_weights(folder):
    """Keys as the libraries of 2022 wrote them, which is how the weights of SD 1.5 are stored."""
    words, vae = folder / "text_encoder" / "model.safetensors", folder / "vae" / "diffusion_pytorch_model.safetensors"
    named = {f"text_model.{key.removeprefix('text_model.')}": value for key, value in load_file(words).items()}
    save_file(named | {"text_model.embeddings.position_ids": torch.arange(77)[None]}, words, {"format": "pt"})
    save_file({_attention(key): value for key, value in load_file(vae).items()}, vae, {"format": "pt"})


def _attention(key):
    for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
        key = key.replace(f"attentions.0.{new}", f"attentions.0.{old}")
    return key


def save_style(folder):
    """A plain IP-Adapter as it is published, and the encoder that it sees through: CLIP's, of 224 pixels."""
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=224,
        patch_size=32,
        projection_dim=STYLE,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")
    flat = {
        "image_proj.proj.weight": torch.randn(4 * TEXT, STYLE),
        "image_proj.proj.bias": torch.randn(4 * TEXT),
        "image_proj.norm.weight": torch.ones(TEXT),
        "image_proj.norm.bias": torch.zeros(TEXT),
    }
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    for number, name in enumerate(name for name in unet.attn_processors if "attn2" in name):
        width = dict(unet.named_modules())[name.removesuffix(".processor")].to_k.out_features
        for key in ("to_k_ip", "to_v_ip"):
            flat[f"ip_adapter.{2 * number + 1}.{key}.weight"] = torch.randn(width, TEXT)
    (folder / "ip_adapter").mkdir()
    save_file(flat, folder / "ip_adapter" / "ip_adapter.safetensors")
