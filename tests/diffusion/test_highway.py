"""With the highway a new U-Net says the noisy latent, whatever its size, in half floats too, and learns from there."""

import pytest
import torch

from fpsynth.conditioning.conditions import Conditions
from fpsynth.diffusion.denoiser.guidance import ask
from fpsynth.diffusion.denoiser.unet.adapter import is_adapter, plain_unet
from fpsynth.diffusion.denoiser.unet.build import UnetSettings, build_unet
from fpsynth.diffusion.denoiser.unet.highway import open_highway
from fpsynth.diffusion.denoiser.unet.lora import with_lora


def unet(width=192, latents=64):
    torch.manual_seed(0)
    made = build_unet(UnetSettings(widths=(width, 64), attend=1, context=64, heads=4), latents, 64)
    return made, open_highway(made)


def said(made, z, dtype=torch.float32):
    made = made.to(dtype)
    text = torch.randn(len(z), 8, 64, dtype=dtype)
    return made(z.to(dtype), torch.tensor(500), text, return_dict=False)[0].float()


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 0.02), (torch.bfloat16, 0.03)])
def test_it_says_what_it_hears(dtype, far):
    made, fits = unet()
    size = torch.logspace(1, -1.5, 64).view(1, -1, 1, 1)
    z = torch.randn(2, 64, 16, 16, generator=torch.Generator().manual_seed(1)) * size
    with torch.no_grad():
        wrong = (said(made, z, dtype) - z).square().mean((0, 2, 3)).sqrt() / size.flatten()
    assert fits and wrong.max() < far


def test_every_weight_on_the_way_can_learn():
    made, _ = unet()
    z = torch.randn(1, 64, 8, 8)
    (said(made, z) * torch.randn(1, 64, 8, 8)).sum().backward()
    last = made.up_blocks[-1].resnets[-1]
    for weight in (made.conv_in.weight, last.conv2.weight, last.conv_shortcut.weight, made.conv_out.weight):
        assert weight.grad.abs().max() > 0


def test_a_narrow_network_is_left_alone():
    made, fits = unet(128)
    torch.manual_seed(0)
    twin = build_unet(UnetSettings(widths=(128, 64), attend=1, context=64, heads=4), 64, 64)
    assert not fits
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), twin.parameters(), strict=True))


def test_a_students_lora_leaves_the_highways_constants_alone():
    made, _ = unet()
    with_lora(made, 4, seed=1)
    taught = {name.split(".lora_A")[0] for name, _ in made.named_parameters() if ".lora_A" in name}
    last = f"up_blocks.{len(made.up_blocks) - 1}.resnets.{len(made.up_blocks[-1].resnets) - 1}"
    assert f"{last}.conv2" in taught and f"{last}.conv_shortcut" not in taught
    assert any(name.endswith("conv_shortcut") for name in taught)


@pytest.mark.parametrize("side", [3, 7])
def test_how_the_first_latent_differs_from_its_neighbours_is_at_hand(side):
    made, _ = unet()
    z, reach = torch.randn(1, 64, 12, 12), side // 2
    kernel = torch.full((1, 1, side, side), -1 / (side**2 - 1))
    kernel[0, 0, reach, reach] = 1
    difference = torch.nn.functional.conv2d(z[:, :1], kernel)[0, 0]
    inside = made.conv_in(z)[0, :, reach:-reach, reach:-reach]
    for sign in (1, -1):
        assert min((channel - sign * difference).abs().max() for channel in inside) < 1e-5


def test_a_widened_network_is_copied_and_read_again(tmp_path):
    made, _ = unet()
    assert plain_unet(made).conv_in.kernel_size == (7, 7)
    made.save_pretrained(tmp_path)
    again = type(made).from_pretrained(tmp_path)
    assert again.conv_in.kernel_size == (7, 7)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), again.parameters(), strict=True))


def test_a_new_denoiser_sees_style_images():
    """Whatever is registered in a U-Net after its adapter was attached takes it out of use again."""
    settings = UnetSettings(
        widths=(192, 64), attend=1, context=64, heads=4, control_widths=(4, 16, 64, 64), highway=True
    )
    denoiser = settings.build(64, 8, ("ridge",), seed=0)
    style = torch.randn(2, 1, 3, 128, 128)
    batch = Conditions(
        planes=torch.rand(2, 1, 64, 64), prompts=("", ""), style=style, styled=torch.tensor([[True], [False]])
    )
    z, t = torch.randn(2, 64, 8, 8), torch.tensor([900, 900])
    ask(denoiser, denoiser.tell(batch), z, t).square().mean().backward()
    learning = {name: p for name, p in denoiser.unet.named_parameters() if is_adapter(name) and p.requires_grad}
    assert len(learning) > 4 and all(weight.grad is not None for weight in learning.values())
    student = denoiser.student(2, 0)
    assert all(d.unet.config.encoder_hid_dim_type == "ip_image_proj" for d in (denoiser, student))
