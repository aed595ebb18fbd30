"""The loop against the stock pipeline, one image at a time, and a batch against its images alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline

from fpsynth.diffusion.sample import Request, Settings, noise_source, sample

STYLE = (torch.rand(90, 70, generator=torch.Generator().manual_seed(5)) * 255).to(torch.uint8)


def request(identity, impression=0, prompt="a good quality plain fingerprint, whorl", style=None, shift=0.0):
    generator = torch.Generator().manual_seed(identity)
    planes = torch.rand(3, 64, 64, generator=generator)
    flow = torch.stack(torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="xy"), -1) + 200 + shift
    return Request(planes, prompt, style, flow, identity, impression)


@pytest.fixture(scope="module")
def pipeline(bundle):
    pipe = StableDiffusionControlNetPipeline.from_pretrained(bundle, dtype=torch.float32)
    pipe.load_ip_adapter(str(bundle), subfolder="ip_adapter", weight_name="ip_adapter.safetensors")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def stock(pipeline, model, settings, asked):
    """The stock pipeline on the same noise, planes, words and style."""
    pipeline.set_ip_adapter_scale(settings.style_scale if asked.style is not None else 1.0)
    embeds = model.style([asked.style])
    if settings.cfg_scale > 1:
        embeds = torch.cat([torch.zeros_like(embeds), embeds])
    image = pipeline(
        prompt=asked.prompt,
        image=asked.planes[None],
        latents=noise_source(model, settings, asked).start()[None],
        num_inference_steps=settings.steps,
        guidance_scale=settings.cfg_scale,
        controlnet_conditioning_scale=settings.control_scale,
        ip_adapter_image_embeds=[embeds],
        output_type="pt",
    ).images
    return (image[0, 0].clamp(0, 1) * 255).round().to(torch.uint8).numpy()


@pytest.mark.parametrize("cfg_scale", [1.0, 1.7])
@pytest.mark.parametrize("style", [None, STYLE])
def test_ddim_is_bit_equal_to_the_stock_pipeline(pipeline, model, cfg_scale, style):
    settings = Settings(3, 6, "ddim", cfg_scale=cfg_scale, control_scale=0.8)
    asked = request(1, style=style)
    assert np.array_equal(sample(model, settings, [asked])[0].image, stock(pipeline, model, settings, asked))


def test_words_planes_and_style_change_the_image(model):
    settings = Settings(3, 4, "ddim")
    plain = sample(model, settings, [request(1)])[0].image
    others = [
        request(1, prompt="a poor quality rolled fingerprint, arch, ink sensor"),
        request(1, style=STYLE),
        replace(request(1), planes=request(2).planes),
    ]
    for other in others:
        assert not np.array_equal(plain, sample(model, settings, [other])[0].image)


@pytest.mark.parametrize("scheduler", ["ddpm", "ddim", "dpmpp", "euler", "lcm", "tcd"])
def test_a_batch_of_identities_and_styles_gives_what_each_gives_alone(model, scheduler):
    settings = Settings(3, 4, scheduler, cfg_scale=1.5, shared_steps=2)
    asked = [request(1), request(2, 1, "a fair quality fingerprint", STYLE), request(2, 0, "", 255 - STYLE)]
    asked[0] = replace(asked[0], style=torch.full((64, 64), 9, dtype=torch.uint8))
    together = sample(model, settings, asked)
    for one, drawn in zip(asked, together, strict=True):
        alone = sample(model, settings, [one])[0].image
        assert np.abs(alone.astype(int) - drawn.image.astype(int)).max() <= 1


def test_k_steps_share_noise(model):
    """K = 0: different impressions differ; K = all: the same planes give the same image; the count is recorded."""
    for shared, equal, count in ((0, False, 0), (2, False, 1), (4, True, 3)):
        settings = Settings(3, 4, "tcd", shared_steps=shared, transport="none")
        a, b = sample(model, settings, [request(1, 0), request(1, 1)])
        assert np.array_equal(a.image, b.image) == equal
        assert a.shared == count


def test_sharing_draws_impressions_together(model):
    def distance(shared):
        settings = Settings(3, 4, "lcm", shared_steps=shared, transport="none")
        a, b = sample(model, settings, [request(1, 0), request(1, 1)])
        return np.abs(a.image.astype(float) - b.image).mean()

    assert distance(3) < distance(0)


def test_another_attempt_is_another_image(model):
    settings = Settings(3, 4, "tcd", shared_steps=4)
    first, again = request(1), replace(request(1), attempt=1)
    assert not np.array_equal(sample(model, settings, [first])[0].image, sample(model, settings, [again])[0].image)
