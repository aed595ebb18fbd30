"""What a batch holds belongs together: latents, planes and words of one crop, mirrored or not."""

import pytest
import torch
from pydantic import ValidationError

from fpsynth.diffusion.codec import KLCodec
from fpsynth.errors import UserError
from fpsynth.training.batches import (
    Crop,
    CropSettings,
    DropSettings,
    draw_batch,
    draw_prompt,
    gather,
    words_of,
)
from fpsynth.training.data import to_signed
from fpsynth.training.denoiser.lessons import check_grid
from fpsynth.training.loop import step_generator

NOTHING = DropSettings(slot=0, rare_slot=0, prompt=0, control=0, style=0)


def test_latents_and_planes_show_the_same_place(source, vae):
    crops = [Crop(17, False, 64, 128), Crop(17, True, 64, 128), Crop(37, True, 256, 0)]
    latents, planes = gather(source, crops, 128)
    images = KLCodec(vae).sketch(latents)[:, 0]
    for image, wave, crop in zip(images, planes[:, 0], crops, strict=True):
        sign = -1 if source.bank.labels[crop.index].words["sensor"] == "ink" else 1
        assert sign * correlation(image, wave) > 0.7
        for elsewhere in (wave.roll(4, -1), wave.flip(-1)):
            assert sign * correlation(image, elsewhere) < 0.5


def correlation(a, b):
    """Of two images; that of a wave and its four of sixteen components is not 1."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def test_mirrored_latents_are_those_of_the_mirror_image(source, vae):
    image = to_signed(source.bank.image(5))[None, None]
    expected = KLCodec(vae).encode(image.flip(-1))[0, :, :32, :32]
    assert torch.allclose(source.crop(5, True, 0, 0, 128), expected, atol=2e-3)


def test_a_mirrored_loop_leans_the_other_way(source):
    label = source.bank.labels[0]
    assert label.words["pattern"] == "left_loop"
    assert "left loop" in draw_prompt(label, False, step_generator(0, 0), NOTHING)
    assert "right loop" in draw_prompt(label, True, step_generator(0, 0), NOTHING)
    assert words_of(label, True)["sensor"] == label.words["sensor"]


def test_words_make_room_for_a_style_image(source):
    label, drop = source.bank.labels[0], NOTHING.model_copy(update={"beside_style": 1.0})
    said = [draw_prompt(label, False, step_generator(0, k), drop, styled=True) for k in range(60)]
    whole = draw_prompt(label, False, step_generator(0, 0), drop)
    assert 20 < said.count("a fingerprint") < 40
    assert any(len("a fingerprint") < len(prompt) < len(whole) for prompt in said)
    assert all(draw_prompt(label, False, step_generator(0, k), drop) == whole for k in range(60))


def test_style_shows_another_finger_by_the_same_device(source):
    bank = source.bank
    for index in range(len(bank)):
        partner = bank.partner(index, step_generator(2, index))
        assert bank.labels[partner].device == bank.labels[index].device
        assert bank.labels[partner].identity != bank.labels[index].identity


def test_a_step_has_one_batch(source):
    one, two, other = (draw_batch(source, step_generator(0, step), 3, 64, DropSettings()) for step in (7, 7, 8))
    assert (
        torch.equal(one.latents, two.latents)
        and torch.equal(one.conditions.style, two.conditions.style)
        and one.conditions.prompts == two.conditions.prompts
    )
    assert not torch.equal(one.latents, other.latents)


def test_whole_images_come_last_and_fewer():
    crops = CropSettings(sizes={128: 0.6, 256: 0.3, 512: 0.1})
    assert crops.at(59, 100, 32) == (128, 32)
    assert crops.at(60, 100, 32) == (256, 8)
    assert crops.at(89, 100, 32) == (256, 8)
    assert crops.at(90, 100, 32) == crops.at(99, 100, 32) == (512, 2)


def test_shares_of_crop_sizes_must_be_whole():
    with pytest.raises(ValidationError, match=r"must sum to 1, not to 0\.9"):
        CropSettings(sizes={128: 0.6, 256: 0.3})


def test_a_crop_that_the_u_net_cannot_halve_is_refused():
    check_grid(64, 64)
    with pytest.raises(UserError, match=r"crops\.sizes: 64 is no multiple of 128"):
        check_grid(64, 128)
