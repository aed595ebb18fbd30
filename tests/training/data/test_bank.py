"""The bank: a chunk is a function of seed and index, and a folder holds one bank, whole."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from fpsynth.conditioning.planes import PLANES
from fpsynth.errors import DamagedFile, UserError
from fpsynth.sensor import optical
from fpsynth.training.data import Bank, BankSettings, Labels, add_images, build_bank
from fpsynth.training.data.bank import render_chunk
from fpsynth.training.data.makers import CASES
from fpsynth.training.data.mixture import draw_device_of, draw_labels
from tests.training.tiny import quiet, wave_bank, waves

PLANE = [f"plane.{name}" for name in ("ridge", "contact", "load", "touch")]


def equal(one, two):
    """Whether two chunks hold the same columns."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_chunk_is_a_function_of_its_seed_and_index():
    settings = BankSettings(images=64)
    one, again, more = (render_chunk(settings, 3, 128, count) for count in (2, 2, 3))
    assert equal(one.columns, again.columns) and one.rows == again.rows == more.rows[:2]
    assert torch.equal(one.columns["image"], more.columns["image"][:2])
    other = render_chunk(BankSettings(images=64, seed=1), 3, 128, 2)
    assert not torch.equal(one.columns["image"], other.columns["image"])


def test_a_known_chunk_looks_as_ever():
    """Means of 32 x 32 pixels, and of whole planes."""
    columns = render_chunk(BankSettings(images=64), 3, 128, 2).columns
    image = columns["image"].float().reshape(2, 4, 32, 4, 32).mean((2, 4))
    known = [
        [[88.8, 74.8, 71.2, 78.3], [85.0, 77.1, 76.5, 79.0], [84.1, 76.2, 72.9, 77.8], [75.7, 72.6, 75.4, 79.9]],
        [
            [112.4, 94.5, 95.6, 102.5],
            [107.9, 104.1, 96.1, 102.7],
            [106.5, 103.5, 100.8, 109.8],
            [113.1, 104.4, 109.2, 110.8],
        ],
    ]
    assert torch.allclose(image, torch.tensor(known), atol=0.2)
    means = torch.stack([columns[name].float().mean((1, 2)) for name in PLANE], 1)
    assert torch.allclose(means, torch.tensor([[125.2, 255.0, 153.9, 140.0], [126.2, 255.0, 27.4, 70.4]]), atol=0.2)


def words(*of):
    return dict(
        zip(
            ("quality", "acquisition", "pattern", "sensor", "skin", "pressure", "surface", "material", "technique"),
            of,
            strict=True,
        )
    )


@pytest.mark.parametrize(
    ("capture", "known"),
    [
        (0, words("excellent", "plain", "right_loop", "capacitive", "normal", "firm", None, "live", None)),
        (9, words("excellent", "plain", "left_loop", "thermal", "normal", "normal", None, "live", None)),
        (17, words("fair", "plain", "tented_arch", "optical", "normal", "firm", None, "live", None)),
        (33, words("good", "plain", "tented_arch", "thermal", "normal", "normal", None, "live", None)),
    ],
)
def test_known_labels_are_drawn_as_ever(capture, known):
    """Captures of chunk 3."""
    settings = BankSettings(images=64)
    device = draw_device_of(settings, 24 + capture // 8)
    labels = draw_labels(settings, 48 + capture % 16, capture // 16, device)
    assert labels == Labels(48 + capture % 16, device.seed, known)
    assert list(labels.words) == list(known), "in the order of the slots"
    assert draw_device_of(settings, 24).seed == 2472302139357314911


def test_a_chunk_does_not_depend_on_its_batches(monkeypatch):
    """The path of a GPU, taken on the CPU ("cpu:0" is the CPU by another name)."""
    settings = BankSettings(images=64)
    monkeypatch.setattr("fpsynth.training.data.bank.BATCH", 3)
    one, many = (render_chunk(settings, 3, 128, 4, device) for device in ("cpu", "cpu:0"))
    assert equal(one.columns, many.columns) and one.rows == many.rows


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_chunk_is_rendered_on_a_gpu():
    settings = BankSettings(images=64)
    here, there = (render_chunk(settings, 3, 256, 20, device) for device in ("cpu", "cuda"))
    assert here.rows == there.rows
    for name in PLANE[1:3]:
        assert (here.columns[name].int() - there.columns[name].int()).abs().float().mean() < 2
    for name in (PLANE[0], PLANE[3]):  # which chance is in
        means = [chunk.columns[name].float().mean((1, 2)) for chunk in (here, there)]
        assert (means[0] - means[1]).abs().max() < 8
    greys = [chunk.columns["image"].float().mean((1, 2)) for chunk in (here, there)]
    assert (greys[0] - greys[1]).abs().max() < 20


def test_planes_show_where_the_ridges_are():
    """On ink, where ridges are dark whatever the device."""
    columns = render_chunk(BankSettings(sensor={"ink": 1.0}, quality={"excellent": 1.0}), 0, 256, 2).columns
    for image, ridge, contact in zip(columns["image"], columns[PLANE[0]], columns[PLANE[1]], strict=True):
        touched = contact > 128
        assert np.corrcoef(image[touched], ridge[touched])[0, 1] < -0.6


def test_shares_that_do_not_sum_are_refused():
    with pytest.raises(ValidationError, match="sum to 1"):
        BankSettings(sensor={"ink": 0.5})
    with pytest.raises(ValidationError, match="unknown word"):
        BankSettings(sensor={"inc": 1.0})


@pytest.fixture
def tiny(monkeypatch):
    """A bank of one chunk of two images of 64 pixels, quickly built, and a small sample of its makers."""
    monkeypatch.setattr("fpsynth.training.data.makers.CASES", CASES[2:4])
    monkeypatch.setattr("fpsynth.training.data.bank.CHUNK", 2)
    monkeypatch.setattr("fpsynth.training.data.bank.SIZE", 64)
    monkeypatch.setattr(render_chunk, "__defaults__", (64, 2, "cpu"))
    return BankSettings(images=2, workers=1, sensor={"optical": 1.0})


def test_a_bank_is_built_once_and_goes_on(tiny, tmp_path):
    said = []
    bank = build_bank(tmp_path, tiny, said.append)
    assert len(bank) == 2 and bank.planes == ("ridge", "contact", "load", "touch")
    assert said == ["bank: 1 of 1 chunks of 2 images"]
    more = build_bank(tmp_path, tiny.model_copy(update={"images": 4}), said.append)
    assert len(more) == 4 and len(said) == 2 and torch.equal(more.image(1), bank.image(1))
    assert torch.equal(Bank(tmp_path).planes_crop(1, 8, 16, 32), bank.planes_crop(1, 0, 0, 64)[:, 8:40, 16:48])
    assert torch.equal(bank.image(1), render_chunk(tiny, 0).columns["image"][1])
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_a_bank_by_other_sensors_is_refused(tiny, tmp_path, monkeypatch):
    """However small the change; sensors that the bank has none of may change."""
    build_bank(tmp_path, tiny, quiet)
    noisier = replace(optical.KIND, ranges={**optical.KIND.ranges, "blur": (0.65, 1.06)})
    monkeypatch.setattr("fpsynth.sensor.ink.KIND", noisier)
    build_bank(tmp_path, tiny, quiet)
    monkeypatch.setattr(optical, "KIND", noisier)
    for use in (lambda: build_bank(tmp_path, tiny, quiet), lambda: Bank(tmp_path)):
        with pytest.raises(UserError, match=r"other sensor optical; choose another folder, or delete this one") as told:
            use()
        assert len(str(told.value).splitlines()) == 1


def test_a_bank_by_other_fingers_is_refused(tiny, tmp_path, monkeypatch):
    build_bank(tmp_path, tiny, quiet)
    monkeypatch.setattr("fpsynth.finger.finger.ROUNDS", (6, 11))
    with pytest.raises(UserError, match="other fingers"):
        Bank(tmp_path)


def test_a_bank_by_other_planes_is_refused(tiny, tmp_path, monkeypatch):
    build_bank(tmp_path, tiny, quiet)
    monkeypatch.setitem(PLANES, "load", lambda impression: 0.98 * PLANES["contact"](impression))
    with pytest.raises(UserError, match="other plane load"):
        Bank(tmp_path)
    monkeypatch.setitem(PLANES, "depth", lambda impression: impression.wear)
    with pytest.raises(UserError, match=r"holds image, plane\.contact, .* not image, plane\.contact, plane\.depth"):
        build_bank(tmp_path, tiny, quiet)


def test_a_folder_of_another_bank_is_refused(tmp_path):
    wave_bank(tmp_path)
    with pytest.raises(UserError, match="holds a bank of other settings"):
        build_bank(tmp_path, BankSettings(seed=5), quiet)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 0}, "is of format 0, and this program's is 1"),
        ({"holds": "prints"}, "holds prints, not a bank"),
        ({"settings": None, "seal": 1}, "not the description of a store"),
    ],
)
def test_a_store_of_another_kind_is_refused(tmp_path, change, told):
    wave_bank(tmp_path)
    description = json.loads((tmp_path / "store.json").read_text())
    (tmp_path / "store.json").write_text(json.dumps(description | change))
    with pytest.raises(UserError, match=told):
        Bank(tmp_path)


def test_the_order_of_the_shares_counts():
    """The same shares in another order draw other words."""
    one, two = (BankSettings(sensor=dict.fromkeys(words, 0.5)) for words in (("ink", "optical"), ("optical", "ink")))
    assert draw_device_of(one, 0).sensor != draw_device_of(two, 0).sensor
    assert one.content() != two.content()
    never = BankSettings(sensor={"thermal": 0.0, "ink": 0.5, "optical": 0.5})
    assert never.content() == one.content() and draw_device_of(never, 0) == draw_device_of(one, 0)


def test_a_bank_that_is_not_whole_is_refused(tmp_path):
    wave_bank(tmp_path)
    with pytest.raises(UserError, match="not whole"):
        Bank(tmp_path, chunks=2)
    (tmp_path / "chunk-00000.safetensors").rename(tmp_path / "chunk-00001.safetensors")
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="not a bank"):
            Bank(folder)


def test_a_damaged_bank_names_the_file(tmp_path):
    bank = wave_bank(tmp_path)
    file, chunk = bank.store.file(0), bank.store.read(0)
    bank.store.write(0, replace(chunk, rows=chunk.rows[:5]))
    with pytest.raises(DamagedFile, match=r"chunk-00000\.safetensors: labels of 5 images"):
        Bank(tmp_path)
    words = {**chunk.rows[0]["words"], "sensor": "inc"}
    bank.store.write(0, replace(chunk, rows=[{**row, "words": words} for row in chunk.rows]))
    with pytest.raises(DamagedFile, match=r"chunk-00000\.safetensors: .*unknown word 'inc'"):
        Bank(tmp_path)
    bank.store.write(0, replace(chunk, columns=chunk.columns | {"plane.load": torch.zeros(64, 2, 2)}))
    with pytest.raises(DamagedFile, match=r"plane\.load is F32 \[64, 2, 2\], not U8"):
        Bank(tmp_path)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DamagedFile, match="not a readable chunk"):
        Bank(tmp_path)


def test_images_of_your_own_are_checked(tmp_path):
    images, planes, labels = waves()
    with pytest.raises(UserError, match=r"plane\.load is not"):
        add_images(tmp_path, images, planes | {"load": planes["load"].float()}, labels)
    with pytest.raises(UserError, match="64 labelled images"):
        add_images(tmp_path, images, planes, labels[:3])
    add_images(tmp_path, images, planes, labels)
    add_images(tmp_path, images.flip(0), planes, labels)
    bank = Bank(tmp_path)
    assert len(bank) == 128 and torch.equal(bank.image(64), images[63])
    with pytest.raises(UserError, match=r"holds image, plane\.contact"):
        add_images(tmp_path, images, {}, labels)
    with pytest.raises(UserError, match="has no plane 'depth', only ridge, contact, load"):
        bank.planes_crop(0, 0, 0, 8, ("depth",))
