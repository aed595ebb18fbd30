"""A model on disk: a plain diffusers directory, with an IP-Adapter and few-step students beside the standard parts.

    model_index.json  unet/ controlnet/ vae/ text_encoder/ tokenizer/ image_encoder/ feature_extractor/ scheduler/
    ip_adapter/ip_adapter.safetensors
    students/NAME/unet/            a student with weights of its own, or
    students/NAME/pytorch_lora_weights.safetensors

`StableDiffusionControlNetPipeline.from_pretrained(dir)` and `load_ip_adapter` open it. Only safetensors are read.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from fpsynth.conditioning.style import STYLE_SIZE
from fpsynth.diffusion.parts import Parts
from fpsynth.errors import DamagedFile, UserError

SHARD = "14MB"
ADAPTER = Path("ip_adapter") / "ip_adapter.safetensors"
STUDENT_LORA = "pytorch_lora_weights.safetensors"


def default_model() -> Path:
    """The bundled model."""
    return Path(__file__).parent.parent / "weights" / "default"


def save_bundle(
    folder: Path, parts: Parts, vae: AutoencoderKL, schedule: DDIMScheduler, adapter: Mapping[str, Tensor]
) -> None:
    """Write a model in fp16. The U-Net must not have an IP-Adapter loaded; `adapter` holds its flat state dict."""
    from diffusers import StableDiffusionControlNetPipeline  # seconds to import, and only needed here

    pipeline = StableDiffusionControlNetPipeline(
        vae=_half(vae),
        text_encoder=_half(parts.text_encoder),
        tokenizer=parts.tokenizer,
        unet=_half(parts.unet),
        controlnet=_half(parts.controlnet),
        scheduler=schedule,
        safety_checker=None,
        feature_extractor=style_processor(),
        image_encoder=_half(parts.image_encoder),
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True, max_shard_size=SHARD)
    _forget_origins(folder)
    (folder / ADAPTER).parent.mkdir(exist_ok=True)
    save_file({key: value.half().contiguous() for key, value in adapter.items()}, folder / ADAPTER)


def save_student(folder: Path, name: str, unet: UNet2DConditionModel) -> None:
    """Add a student with weights of its own to a model directory."""
    home = folder / "students" / name
    _half(unet).save_pretrained(home / "unet", max_shard_size=SHARD)
    _forget_origins(home)


def _forget_origins(folder: Path) -> None:
    """diffusers writes where a part was once loaded from: no one else has that path."""
    for path in folder.glob("*/config.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def style_processor() -> Any:
    """What turns a style image into the image encoder's input in the stock pipeline."""
    from transformers import CLIPImageProcessor

    size = {"height": STYLE_SIZE, "width": STYLE_SIZE}
    return CLIPImageProcessor(
        size={"shortest_edge": STYLE_SIZE}, crop_size=size, resample=2, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


def _half(module: Any) -> Any:
    return module.to(torch.float16)


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


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file. Raises DamagedFile for one that is missing, truncated or something else."""
    check_weights(path)
    return load_file(path)


def check_weights(path: Path) -> None:
    """Raises DamagedFile unless the file is a whole safetensors file."""
    if not path.is_file():
        raise DamagedFile(f"{path}: the file is missing")
    try:
        with safe_open(path, framework="pt") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise DamagedFile(f"{path}: not a whole safetensors file ({error})") from None


def check_bundle(folder: Path) -> None:
    """Raises UserError unless the folder holds a model whose weights can all be read."""
    if not (folder / "model_index.json").is_file():
        raise UserError(f"{folder}: no model here (model_index.json is missing)")
    for part in ("unet", "controlnet", "vae", "text_encoder", "image_encoder"):
        if not any((folder / part).glob("*.safetensors")):
            raise DamagedFile(f"{folder / part}: no safetensors weights")
    for path in sorted(folder.rglob("*.safetensors")):
        check_weights(path)


def digest(folder: Path) -> str:
    """sha256 (hex) over the names and bytes of a model's files."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
