"""What a reader is shown and says; whether what it says is right is tested on the bundled one."""

import json

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fpsynth.errors import DamagedFile, UserError
from fpsynth.reader.network import ReaderNetwork
from fpsynth.reader.reader import Reader, load_reader, placed, save_reader

WORDS = {"sensor": ("optical", "ink"), "skin": ("normal", "dry", "wet")}


def untrained():
    torch.manual_seed(1)
    return Reader(
        network=ReaderNetwork(WORDS).eval(),
        words=WORDS,
        prior={slot: np.full(len(own), 1 / len(own)) for slot, own in WORDS.items()},
        confusion={slot: np.eye(len(own)) for slot, own in WORDS.items()},
        accuracy={"sensor": 0.9, "skin": 0.8},
        codec="abc",
    )


@pytest.fixture
def folder(tmp_path):
    save_reader(tmp_path / "reader", untrained())
    return tmp_path / "reader"


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)


def test_a_reader_that_was_saved_reads_as_before(folder):
    images = [picture(200, 300), picture(64, 512, 1), picture(7, 9, 2)]
    before, after = untrained().read(images), load_reader(folder).read(images)
    for slot, own in WORDS.items():
        assert before.shares[slot].shape == (3, len(own))
        assert np.allclose(before.shares[slot], after.shares[slot], atol=5e-3)  # weights are kept in fp16
        assert np.allclose(after.shares[slot].sum(1), 1, atol=1e-5)
        assert after.said(slot) == [own[k] for k in after.shares[slot].argmax(1)]
    assert load_reader(folder).codec == "abc"
    assert load_reader(folder).accuracy == {"sensor": 0.9, "skin": 0.8}


def test_images_are_read_each_as_alone(folder):
    images, reader = [picture(160, 96, k) for k in range(3)], load_reader(folder)
    together = reader.read(images).shares["skin"]
    assert np.allclose(together, np.concatenate([reader.read([image]).shares["skin"] for image in images]), atol=1e-6)


def test_images_are_read_at_500_ppi():
    smooth = cv2.GaussianBlur(picture(256, 256), None, 6)
    double = cv2.resize(smooth, (512, 512), interpolation=cv2.INTER_LINEAR)
    assert placed(double, 1000).shape == (256, 256)
    assert np.abs(placed(double, 1000).astype(int) - smooth).mean() < 1
    assert np.array_equal(placed(smooth, 500), smooth)


def test_borders_are_repeated_until_the_sides_fit():
    image = picture(250, 33)
    out = placed(image, 500)
    assert out.shape == (256, 64)
    assert np.array_equal(out[3:253, 15:48], image)
    assert (out[:3, 15:48] == image[0]).all()


def test_noise_is_told(folder):
    network, x = load_reader(folder).network, torch.randn(1, 1, 64, 64)
    clean, noisy = (network(x, torch.tensor([angle]))["skin"] for angle in (0.0, 1.2))
    assert not torch.allclose(clean, noisy, atol=1e-3)


def test_what_is_no_reader_is_refused(folder, tmp_path):
    with pytest.raises(UserError, match="not a reader"):
        load_reader(tmp_path)
    weights = folder / "model.safetensors"
    save_file({key: value for key, value in load_file(weights).items() if "head" not in key}, weights)
    with pytest.raises(DamagedFile, match="not a readable reader"):
        load_reader(folder)


def test_a_damaged_config_is_refused(folder):
    content = json.loads((folder / "config.json").read_text())
    content["prior"] = 3
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(DamagedFile, match="not a readable reader"):
        load_reader(folder)
