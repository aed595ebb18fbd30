"""A new kind of sensor is one file, here sensor/toy.py, and one word in the table of slots."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import fpsynth.sensor
from fpsynth import cli
from fpsynth.slots import SLOTS
from fpsynth.training.data import BankSettings
from fpsynth.training.data.bank import render_chunk

RECIPE = """name: toys
identities: 2
impressions: 2
image: {width: 128, height: 128}
prompt: {sensor: toy}
sampling: {model: virtual}
gate: off
"""


@pytest.fixture
def toy(monkeypatch):
    folders = [*fpsynth.sensor.__path__, str(Path(__file__).parent / "sensor")]
    monkeypatch.setattr(fpsynth.sensor, "__path__", folders)
    monkeypatch.setitem(SLOTS, "sensor", replace(SLOTS["sensor"], words=(*SLOTS["sensor"].words, "toy")))


def test_a_dataset_by_a_new_sensor(toy, tmp_path, monkeypatch):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    monkeypatch.setattr(sys, "argv", ["fpsynth", "generate", str(recipe), "-o", str(tmp_path / "out"), "--quiet"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    [shard] = (tmp_path / "out" / "data").glob("*.parquet")
    table = pq.read_table(shard)
    names = SLOTS["sensor"].words
    assert [names[code] for code in table["sensor"].to_pylist()] == ["toy"] * 4
    assert all("toy sensor" in prompt for prompt in table["prompt"].to_pylist())


def test_a_bank_by_a_new_sensor(toy):
    chunk = render_chunk(BankSettings(sensor={"toy": 1.0}, quality={"excellent": 1.0}), 0, 128, 1)
    assert chunk.rows[0]["words"]["sensor"] == "toy"
    image, ridge = chunk.columns["image"][0], chunk.columns["plane.ridge"][0]
    assert np.corrcoef(image.flatten(), ridge.flatten())[0, 1] < -0.5
