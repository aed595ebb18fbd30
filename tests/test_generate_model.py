"""The main job with a diffusion model (a tiny untrained one): what the rows say of it, and what goes wrong with it."""

import io
import os
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from fpsynth.console import Console
from fpsynth.diffusion.bundle import digest
from fpsynth.errors import UserError
from fpsynth.extractor import mindtct
from fpsynth.flow import Order, generate
from tests.diffusion.conftest import bundle  # noqa: F401

RECIPE = """\
identities: 2
impressions: 2
image: {width: 128, height: 128}
prompt: {text: "a {sensor} print of a {pattern}"}
style: {images: look.png}
sampling: {model: model, shared_noise_steps: 3}
gate: off
"""


@pytest.fixture
def folder(bundle, tmp_path):  # noqa: F811
    """A folder with recipe.yaml, the model and a style image."""
    os.symlink(bundle, tmp_path / "model")
    Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).save(tmp_path / "look.png")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def make(folder, name, *overrides, **options) -> bool:
    order = Order(recipe=folder / "recipe.yaml", overrides=overrides, out=folder / name, device="cpu", **options)
    return generate(order, Console("quiet")).passed


def rows(root) -> list[dict]:
    return [row for path in sorted((root / "data").iterdir()) for row in pq.ParquetFile(path).read().to_pylist()]


def pixels(row: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))).astype(int)


def test_rows_say_what_made_them(folder, capsys):
    assert make(folder, "out")
    made = rows(folder / "out")
    assert len(made) == 4
    for row in made:
        assert row["renderer"] == {"kind": 0, "model": digest(folder / "model"), "student": "default"}
        assert row["style"] == "look.png"
        assert (
            row["shared_noise"] == 2
        )  # TCD injects after 3 of its 4 steps; the last 3 steps share, two of these inject
        assert row["prompt"].startswith("a optical print of a ")
    assert len({row["seed"] for row in made}) == 4
    assert len({row["image"]["bytes"] for row in made}) == 4


def test_backgrounds_are_dealt_out_and_said(folder):
    for name, grey in (("dark.png", 20), ("light.png", 230)):
        Image.new("L", (64, 64), grey).save(folder / name)
    assert make(folder, "plain", "identities=6")
    assert make(folder, "out", "identities=6", "style.background=[dark.png, light.png]")
    made = rows(folder / "out")
    assert {row["style"] for row in made} == {"look.png / dark.png", "look.png / light.png"}
    assert all(a["minutiae"] == b["minutiae"] for a, b in zip(made, rows(folder / "plain"), strict=True))
    same = [np.array_equal(pixels(a), pixels(b)) for a, b in zip(made, rows(folder / "plain"), strict=True)]
    assert not all(same)  # a print may fill its picture
    assert make(folder, "bare", "style={background: [dark.png]}")
    assert {row["style"] for row in rows(folder / "bare")} == {" / dark.png"}


def test_the_same_bytes_again_and_with_more_identities(folder):
    shards = "output.shard_images=2"
    make(folder, "out", shards)
    make(folder, "again", shards)
    make(folder, "more", shards, "identities=3")
    first = [path.read_bytes() for path in sorted((folder / "out" / "data").iterdir())]
    assert first == [path.read_bytes() for path in sorted((folder / "again" / "data").iterdir())]
    assert first == [path.read_bytes() for path in sorted((folder / "more" / "data").iterdir())][:2]


def test_the_batch_moves_pixels_by_a_grey_level_at_most(folder, monkeypatch):
    """In float32: random weights amplify what bfloat16 rounds. tests/test_bundled.py has real ones."""
    monkeypatch.setattr("fpsynth.diffusion.model.natural_dtype", lambda device: torch.float32)
    make(folder, "four", "identities=1", "sampling.student=none")
    make(folder, "one", "identities=1", "sampling.student=none", batch=1)
    for a, b in zip(rows(folder / "four"), rows(folder / "one"), strict=True):
        assert (a["seed"], a["minutiae"]) == (b["seed"], b["minutiae"])
        assert np.abs(pixels(a) - pixels(b)).max() <= 1


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("sampling.student=swift",), "sampling.student: .* has no student 'swift'"),
        (("sampling.model=cut",), "not a whole safetensors file"),
        (("sampling.model=mangled",), "cannot be read as JSON"),
        (("sampling.scheduler=lcm", "sampling.steps=60"), "scheduler lcm cannot take 60 steps"),
    ],
)
def test_a_model_that_cannot_be_used_is_one_line_and_nothing_is_written(folder, overrides, told):
    for name in ("cut", "mangled"):
        shutil.copytree(folder / "model", folder / name)
    weights = next((folder / "cut" / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    (folder / "mangled" / "controlnet" / "config.json").write_text("{")
    with pytest.raises(UserError, match=told) as caught:
        make(folder, "out", *overrides)
    assert len(str(caught.value).splitlines()) == 1
    assert not (folder / "out").exists()


@pytest.mark.skipif(not mindtct.available(), reason="the extra 'judges' is not installed")
def test_images_without_their_minutiae_fail_the_gate_and_are_kept(folder):
    assert not make(folder, "out", "gate={retries: 1}")
    for row in rows(folder / "out"):
        assert row["gate"]["tries"] == 2
        assert row["gate"]["verdict"] == 1
