"""A canvas against the stock pipelines that do the same: image to image, and inpainting by masked latents.

They draw their noise themselves and encode by sampling; here they are given ours of both.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionControlNetImg2ImgPipeline, StableDiffusionControlNetInpaintPipeline

from fpsynth.diffusion.canvas import Canvas
from fpsynth.diffusion.looks import conditions_of
from fpsynth.diffusion.sample import noise_source, sample
from fpsynth.diffusion.settings import Settings
from tests.diffusion.test_sample import STYLE, request

GIVEN = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(2))


def stock(kind, bundle, model, settings, asked, monkeypatch, **told):
    """The picture of a stock pipeline on the same noise, planes, words and style."""
    pipe = kind.from_pretrained(bundle, dtype=torch.float32)
    pipe.load_ip_adapter(str(bundle), subfolder="ip_adapter", weight_name="ip_adapter.safetensors")
    pipe.set_progress_bar_config(disable=True)
    pipe.set_ip_adapter_scale(settings.style_scale)
    noise = noise_source(model, settings, asked).start()[None]
    monkeypatch.setattr(f"{kind.__module__}.randn_tensor", lambda *args, **options: noise)
    monkeypatch.setattr(pipe, "_encode_vae_image", lambda *args, **options: GIVEN[None], raising=False)
    conditions = conditions_of(model, settings, [asked.conditioning])
    with torch.no_grad():
        embeds = model.denoiser.tell(conditions).style
    image = pipe(
        prompt=asked.conditioning.prompt,
        control_image=conditions.planes,
        num_inference_steps=settings.steps,
        guidance_scale=1.0,
        controlnet_conditioning_scale=settings.control_scale,
        ip_adapter_image_embeds=[embeds],
        output_type="pt",
        **told,
    ).images
    return (image[0, 0].clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    gap = np.abs(ours.astype(int) - theirs)
    return bool(gap.max() <= 1 and (gap > 0).mean() < 0.01)


@pytest.mark.parametrize("strength", [0.25, 0.5, 0.75])
def test_refining_is_image_to_image(bundle, model, strength, monkeypatch):
    settings = Settings(seed=3, steps=8, scheduler="ddim")
    asked = replace(request(1, style=STYLE), canvas=Canvas(GIVEN, torch.zeros(16, 16), strength))
    kind = StableDiffusionControlNetImg2ImgPipeline
    theirs = stock(kind, bundle, model, settings, asked, monkeypatch, image=GIVEN[None], strength=strength)
    assert same(sample(model, settings, [asked])[0].image, theirs)


def test_keeping_a_part_is_inpainting(bundle, model, monkeypatch):
    settings = Settings(seed=3, steps=8, scheduler="ddim")
    keep = torch.zeros(16, 16)
    keep[4:12, 2:9] = 1
    asked = replace(request(1), canvas=Canvas(GIVEN, keep))
    drawn = torch.nn.functional.interpolate(1 - keep[None, None], scale_factor=4)
    theirs = stock(
        StableDiffusionControlNetInpaintPipeline,
        bundle,
        model,
        settings,
        asked,
        monkeypatch,
        image=torch.zeros(1, 1, 64, 64),
        mask_image=drawn,
        strength=1.0,
    )
    assert same(sample(model, settings, [asked])[0].image, theirs)
