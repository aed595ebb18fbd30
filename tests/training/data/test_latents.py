"""Latents are encoded once for each codec and each image."""

import torch
from diffusers import AutoencoderKL

from fpsynth.diffusion.codec import KLCodec
from fpsynth.training.data import Bank, add_images, encode_bank
from tests.training.tiny import quiet, wave_bank, waves


class Halving:
    """A codec that keeps every fourth pixel, times a factor."""

    channels, factor = 1, 4

    def __init__(self, times=1.0, quick=False):
        self.quick = quick
        self.times, self.digest, self.asked = times, f"{times:.3f}".ljust(64, "0"), 0

    def encode(self, images):
        self.asked += len(images)
        return images[:, :, ::4, ::4] * self.times

    def decode(self, latents):
        raise NotImplementedError


def test_latents_are_those_of_the_images_and_made_once(tmp_path):
    bank, codec = wave_bank(tmp_path), Halving()
    source = encode_bank(bank, codec, "cpu", quiet)
    assert (source.channels, source.factor, codec.asked) == (1, 4, 128)
    signed = bank.image(9).float() / 127.5 - 1
    assert torch.allclose(source.crop(9, False, 64, 32, 128)[0], signed[64:192:4, 32:160:4], atol=1e-3)
    assert torch.allclose(source.crop(9, True, 64, 32, 128)[0], signed.flip(-1)[64:192:4, 32:160:4], atol=1e-3)
    encode_bank(Bank(tmp_path), codec, "cpu", quiet)
    assert codec.asked == 128


def test_a_quick_codec_keeps_nothing(tmp_path):
    bank = wave_bank(tmp_path)
    kept, quick = (encode_bank(bank, Halving(quick=quick), "cpu", quiet) for quick in (False, True))
    for mirrored in (False, True):
        assert torch.allclose(kept.crop(9, mirrored, 64, 32, 128), quick.crop(9, mirrored, 64, 32, 128), atol=1e-3)
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == [f"latents-{'1.000'.ljust(12, '0')}"]


def test_an_autoencoder_follows_what_it_is_given_off_the_cpu():
    """On torch's device without numbers, in place of CUDA: neither closed form nor a move by the caller."""
    codec = KLCodec(AutoencoderKL(in_channels=1, out_channels=1, norm_num_groups=8, block_out_channels=(8,)).eval())
    assert codec.linear is None
    here = codec.encode(torch.zeros(1, 1, 8, 8))
    assert here.device.type == codec.sketch(here).device.type == codec.vae.device.type == "cpu"
    latents = codec.encode(torch.zeros(1, 1, 8, 8, device="meta"))
    assert latents.device.type == codec.sketch(latents).device.type == codec.vae.device.type == "meta"


def test_another_codec_has_latents_of_its_own(tmp_path):
    bank = wave_bank(tmp_path)
    one, two = (encode_bank(bank, Halving(times), "cpu", quiet).crop(0, False, 0, 0, 64) for times in (1.0, 0.5))
    assert torch.allclose(one / 2, two, atol=1e-3)


def test_latents_of_images_that_are_gone_are_made_again(tmp_path):
    wave_bank(tmp_path)
    images, planes, labels = waves()
    encode_bank(Bank(tmp_path), Halving(), "cpu", quiet)
    (tmp_path / "chunk-00000.safetensors").unlink()
    add_images(tmp_path, 255 - images, planes, labels)
    source = encode_bank(Bank(tmp_path), Halving(), "cpu", quiet)
    assert torch.allclose(source.crop(3, False, 0, 0, 512)[0], 1 - images[3, ::4, ::4] / 127.5, atol=1e-3)
