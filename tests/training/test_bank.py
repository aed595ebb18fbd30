"""The bank: a chunk is a function of seed and index, and a folder holds one bank, whole."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from fpsynth.errors import DamagedFile, UserError
from fpsynth.training.bank import BankSettings, build_bank, chunk_files, render_chunk
from fpsynth.training.stream import Bank
from tests.training.tiny import quiet, wave_bank


def test_a_chunk_is_a_function_of_its_seed_and_index():
    settings = BankSettings(images=64)
    one, again, more = (render_chunk(settings, 3, 128, count) for count in (2, 2, 3))
    assert np.array_equal(one.images, again.images) and np.array_equal(one.planes, again.planes)
    assert np.array_equal(one.images, more.images[:2]) and one.labels == more.labels[:2]
    other = render_chunk(BankSettings(images=64, seed=1), 3, 128, 2)
    assert not np.array_equal(one.images, other.images)


def test_a_chunk_does_not_depend_on_its_batches(monkeypatch):
    """The path of a GPU, taken on the CPU ("cpu:0" is the CPU by another name)."""
    settings = BankSettings(images=64)
    monkeypatch.setattr("fpsynth.training.bank.BATCH", 3)
    one, many = (render_chunk(settings, 3, 128, 4, device) for device in ("cpu", "cpu:0"))
    assert np.array_equal(one.images, many.images) and np.array_equal(one.planes, many.planes)
    assert one.labels == many.labels


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_chunk_is_rendered_on_a_gpu():
    settings = BankSettings(images=64)
    here, there = (render_chunk(settings, 3, 256, 20, device) for device in ("cpu", "cuda"))
    assert here.labels == there.labels
    assert np.abs(here.planes.astype(int) - there.planes).mean() < 2
    assert np.abs(here.images.mean((1, 2)) - there.images.mean((1, 2))).max() < 20


def test_planes_show_where_the_ridges_are():
    """On ink, where ridges are dark whatever the device."""
    chunk = render_chunk(BankSettings(sensor={"ink": 1.0}, quality={"excellent": 1.0}), 0, 256, 2)
    for image, (ridge, contact, _) in zip(chunk.images, chunk.planes, strict=True):
        touched = contact > 128
        assert np.corrcoef(image[touched], ridge[touched])[0, 1] < -0.6


def test_shares_that_do_not_sum_are_refused():
    with pytest.raises(ValidationError, match="sum to 1"):
        BankSettings(sensor={"ink": 0.5})
    with pytest.raises(ValidationError, match="unknown word"):
        BankSettings(sensor={"inc": 1.0})


def test_a_folder_of_another_bank_is_refused(tmp_path):
    wave_bank(tmp_path)
    with pytest.raises(UserError, match="other settings"):
        build_bank(tmp_path, BankSettings(seed=5), quiet)
    build_bank(tmp_path, BankSettings(images=64, workers=1), quiet)


def test_a_bank_that_is_not_whole_is_refused(tmp_path):
    wave_bank(tmp_path)
    (tmp_path / "bank.json").write_text(json.dumps(BankSettings().content()))
    with pytest.raises(UserError, match="not whole"):
        Bank(tmp_path, chunks=2)
    with pytest.raises(UserError, match="not a bank"):
        Bank(tmp_path / "nowhere")


def test_a_damaged_bank_names_the_file(tmp_path):
    bank = wave_bank(tmp_path)
    images, planes, labels = chunk_files(tmp_path, 0)
    labels.write_text(json.dumps([asdict(one) for one in bank.labels[:5]]))
    with pytest.raises(DamagedFile, match=r"labels-00000\.json: labels of 5 images"):
        Bank(tmp_path)
    np.save(planes, np.zeros((64, 512, 512), np.uint8))
    with pytest.raises(DamagedFile, match=r"planes-00000\.npy: holds uint8"):
        Bank(tmp_path)
    images.write_bytes(images.read_bytes()[:1000])
    with pytest.raises(DamagedFile, match=r"images-00000\.npy: not a readable array"):
        Bank(tmp_path)
