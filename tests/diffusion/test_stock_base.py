"""A directory of Stable Diffusion 1.5's format, tiny and random, as a model: against the stock pipeline."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionControlNetPipeline
from PIL import Image

from fpsynth.conditioning.style import style_pixels
from fpsynth.console import Console
from fpsynth.diffusion.denoiser.unet.adapter import embeds_of
from fpsynth.diffusion.denoiser.unet.files import style_processor
from fpsynth.diffusion.looks import conditions_of
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.sample import noise_source, sample
from fpsynth.diffusion.settings import Settings
from fpsynth.errors import UserError
from fpsynth.flow import Order, generate
from fpsynth.model_folder import own_sampler
from tests.diffusion.stock import save_stock, save_style, stock_controlnet, stock_unet
from tests.diffusion.test_sample import STYLE, request

LONG = "a good quality fingerprint, whorl, photographed on the marble floor of a railway station in winter"


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    return save_stock(tmp_path_factory.mktemp("stock") / "sd")


@pytest.fixture(scope="module")
def styled(stock, tmp_path_factory):
    folder = shutil.copytree(stock, tmp_path_factory.mktemp("styled") / "sd")
    save_style(folder)
    return folder


def drawn_by_stock(folder, settings, asked, embeds=None):
    """The stock pipeline's picture, grey as Pillow makes it: DDIM, trailing times, ending at the clean latent."""
    pipe = StableDiffusionControlNetPipeline.from_pretrained(folder, dtype=torch.float32)
    ends = {"timestep_spacing": "trailing", "set_alpha_to_one": True, "clip_sample": False}
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, **ends)
    pipe.set_progress_bar_config(disable=True)
    if embeds is not None:
        where = {"subfolder": "ip_adapter", "weight_name": "ip_adapter.safetensors", "image_encoder_folder": None}
        pipe.load_ip_adapter(str(folder), **where)
        pipe.set_ip_adapter_scale(settings.style_scale)
    model = load_model(folder, dtype=torch.float32)
    images = pipe(
        prompt=asked.conditioning.prompt,
        image=conditions_of(model, settings, [asked.conditioning]).planes,
        latents=noise_source(model, settings, asked).start()[None],
        num_inference_steps=settings.steps,
        guidance_scale=settings.cfg_scale,
        controlnet_conditioning_scale=settings.control_scale,
        ip_adapter_image_embeds=embeds and [torch.cat([torch.zeros_like(embeds[0]), embeds[0]])],
        output_type="pil",
    ).images
    return np.asarray(images[0].convert("L")).astype(int)


@pytest.mark.parametrize(("cfg_scale", "words"), [(1.0, LONG), (7.5, LONG), (7.5, "")])
def test_it_draws_what_the_stock_pipeline_draws(stock, cfg_scale, words):
    settings = Settings(seed=3, steps=5, scheduler="ddim", cfg_scale=cfg_scale, control_scale=0.8)
    asked = request(1, prompt=words)
    ours = sample(load_model(stock, dtype=torch.float32), settings, [asked])[0].image.astype(int)
    theirs = drawn_by_stock(stock, settings, asked)
    assert theirs.std() > 5 and np.abs(ours - theirs).max() <= 1


def test_its_ip_adapter_is_heard_as_in_the_stock_pipeline(styled):
    settings = Settings(seed=3, steps=5, scheduler="ddim", cfg_scale=3.0)
    asked, model = request(1, style=STYLE), load_model(styled, dtype=torch.float32)
    with torch.no_grad():
        embeds = model.denoiser.tell(conditions_of(model, settings, [asked.conditioning])).style
    ours = sample(model, settings, [asked])[0].image.astype(int)
    assert np.abs(ours - drawn_by_stock(styled, settings, asked, [embeds])).max() <= 1
    plain = sample(model, settings, [request(1)])[0].image.astype(int)
    assert np.abs(ours - plain).max() > 3


def test_clips_own_image_encoder_is_shown_what_its_processor_makes(styled):
    """Of a picture that is 128 pixels wide already: larger ones are reduced to that first."""
    encoder = load_model(styled, dtype=torch.float32).denoiser.image_encoder
    picture = torch.from_numpy(np.add.outer(np.arange(128), np.arange(128))).to(torch.uint8)
    image = Image.fromarray(picture.numpy()).convert("RGB")
    theirs = style_processor(encoder)(image, return_tensors="pt").pixel_values
    with torch.no_grad():
        ours, said = embeds_of(encoder, style_pixels(picture)[None]), encoder(theirs).image_embeds
    assert torch.allclose(ours, said, atol=0.01 * float(said.abs().max()))


def test_a_picture_in_colour_is_encoded_as_the_stock_autoencoder_does(stock):
    codec = load_model(stock, dtype=torch.float32).codec
    assert (codec.channels, codec.factor, codec.grain) == (4, 8, 8)
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        theirs = codec.vae.encode(image.repeat(1, 3, 1, 1)).latent_dist.mean * 0.18215
    assert torch.allclose(codec.encode(image), theirs, atol=1e-5)
    assert codec.decode(theirs).shape == image.shape


def test_a_batch_gives_what_each_gives_alone(stock):
    model, settings = load_model(stock, dtype=torch.float32), Settings(seed=3, scheduler="dpmpp", cfg_scale=2.0)
    asked = [request(1), request(2, 1, "a fingerprint")]
    for one, drawn in zip(asked, sample(model, settings, asked), strict=True):
        assert np.abs(sample(model, settings, [one])[0].image.astype(int) - drawn.image).max() <= 1


RECIPE = """\
identities: 1
impressions: 1
image: {width: 128, height: 128}
prompt: {sensor: optical}
sampling: {model: sd, student: none, steps: 3}
gate: off
"""


def make(folder, *overrides):
    (folder / "recipe.yaml").write_text(RECIPE)
    order = Order(recipe=folder / "recipe.yaml", overrides=overrides, out=folder / "out", device="cpu")
    return generate(order, Console("quiet"))


@pytest.mark.parametrize("kind", ["PNDMScheduler", "DDIMScheduler", "DDPMScheduler"])
def test_a_dataset_is_made_with_it(stock, tmp_path, kind):
    folder = shutil.copytree(stock, tmp_path / "sd")
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"_class_name": kind}))
    assert own_sampler(folder, None) == ("ddpm" if kind.startswith("DDPM") else "ddim")
    assert make(tmp_path).passed


def rewritten(part, **changes):
    """Write other values into a part's config."""

    def write(folder):
        path = folder / part / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return write


def without(part):
    return lambda folder: shutil.rmtree(folder / part)


def other_weights(folder):
    """Only pickled ones of the U-Net, as older directories have them."""
    next((folder / "unet").glob("*.safetensors")).rename(folder / "unet" / "diffusion_pytorch_model.bin")


def half_and_pickled(folder):
    """Safetensors of a variant only, beside pickled weights that diffusers would fall back to."""
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    torch.save(stock_unet().state_dict(), weights.with_suffix(".bin"))


def inpainting(folder):
    shutil.rmtree(folder / "unet")
    stock_unet(9).save_pretrained(folder / "unet")


def other_latents(folder):
    """A U-Net and a ControlNet for latents of 8 channels."""
    for part in ("unet", "controlnet"):
        shutil.rmtree(folder / part)
    unet = stock_unet(8, 8)
    unet.save_pretrained(folder / "unet")
    stock_controlnet(unet).save_pretrained(folder / "controlnet")


def blind(folder):
    save_style(folder)
    shutil.rmtree(folder / "image_encoder")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without("controlnet"), r"no safetensors weights|controlnet/ is missing"),
        (without("tokenizer"), "tokenizer/ is missing"),
        (without("scheduler"), "does not say how it is sampled"),
        (other_weights, "unet: no safetensors weights, and no others are read"),
        (half_and_pickled, r"no file named diffusion_pytorch_model.safetensors"),
        (inpainting, "takes 9 channels and gives 4"),
        (other_latents, "its codec makes latents of 4 channels, its network one of 8"),
        (blind, "image_encoder/ is missing"),
        (rewritten("controlnet", conditioning_channels=1), "takes 1 planes, and is to be told 3: ridge, contact, load"),
        (rewritten("controlnet", cross_attention_dim=48), "is of another U-Net"),
        (rewritten("unet", addition_embed_type="text_time"), "SDXL is not supported"),
        (rewritten("text_encoder", hidden_size=64), "unet/ hears words of width 32, text_encoder/ says 64"),
    ],
)
def test_what_cannot_be_used_is_one_line(stock, tmp_path, spoil, told):
    spoil(shutil.copytree(stock, tmp_path / "sd"))
    with pytest.raises(UserError, match=told) as caught:
        make(tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_without_a_controlnet_the_line_says_how_one_begins(tmp_path):
    save_stock(tmp_path / "sd", controlled=False)
    with pytest.raises(UserError, match=r"controlnet/ is missing.*fpsynth train denoiser train/base"):
        make(tmp_path)


def test_style_images_need_an_adapter(stock, styled, tmp_path):
    shutil.copytree(stock, tmp_path / "sd")
    Image.fromarray(STYLE.numpy()).save(tmp_path / "look.png")
    with pytest.raises(UserError, match="has no style adapter"):
        make(tmp_path, "style.images=[look.png]")
    assert make(tmp_path, "style.images=[look.png]", f"sampling.model={styled}").passed
