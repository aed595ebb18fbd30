"""A format that is one file and one table entry goes the whole way: recipe, shards, resume, card, inspection."""

import json
import shutil
from pathlib import Path

import pytest

from fpsynth import vocabulary
from fpsynth.console import Console
from fpsynth.dataset import formats, manifest
from fpsynth.dataset.item import Item
from fpsynth.dataset.reader.source import open_source
from fpsynth.errors import UserError
from fpsynth.flow import Order, generate
from fpsynth.inspect.look import Look, Options, inspect_path

RECIPE = """\
name: tiny
identities: 3
impressions: 2
image: {width: 128, height: 128}
sampling: {model: virtual}
gate: off
output: {format: tar, shard_images: 2, minutiae: [iso19794-2, json]}
splits: {train: 0.67, test: 0.33}
"""
SHARDS = ["test-00000-of-00001.tar", "train-00000-of-00002.tar", "train-00001-of-00002.tar"]


def in_place(patch: pytest.MonkeyPatch) -> None:
    """The table entry, and the folder of the file."""
    patch.setitem(vocabulary.FORMATS, "tar", "tar files")
    patch.setattr(formats, "__path__", [*formats.__path__, str(Path(__file__).parent / "formats")])


@pytest.fixture
def tar(monkeypatch: pytest.MonkeyPatch) -> None:
    in_place(monkeypatch)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return Order(recipe=tmp_path / "recipe.yaml", overrides=(), out=tmp_path / "out")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tar")
    (folder / "recipe.yaml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        in_place(patch)
        generate(Order(recipe=folder / "recipe.yaml", overrides=(), out=folder / "out"), Console("quiet"))
    return folder / "out"


@pytest.fixture
def out(made: Path, tar: None, tmp_path: Path) -> Path:
    """A copy of the dataset, where order has its own."""
    return Path(shutil.copytree(made, tmp_path / "out"))


def look(root: Path) -> Look:
    return inspect_path(root, Options(judges=False, cache=False, workers=1))


def images(root: Path) -> list[Item]:
    return [item for unit in open_source(root, manifest.read(root)).units for item in unit.read()]


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_without_the_entry_the_word_is_a_mistake_in_the_recipe(order: Order) -> None:
    with pytest.raises(UserError, match=r"output\.format: unknown word 'tar': one of parquet, png"):
        generate(order, Console("quiet"))


def test_it_is_generated_and_closed(out: Path) -> None:
    assert sorted(path.name for path in (out / "data").iterdir()) == SHARDS
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["complete"] and manifest["format"] == "tar"
    assert sorted((entry["file"], entry["rows"]) for entry in manifest["shards"]) == [(f"data/{s}", 2) for s in SHARDS]
    told = (out / "README.md").read_text()
    assert "path: data/train-*.tar" in told and "6 synthetic fingerprint images of 3 identities" in told


def test_a_lost_shard_is_made_again(out: Path, order: Order, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(out)
    (out / "data" / SHARDS[1]).unlink()
    generate(order, Console("json"))
    facts = json.loads(capsys.readouterr().out)
    assert (facts["images"], facts["made"], facts["gate"]) == (6, 2, {"unjudged": 6})
    assert contents(out) == before


def test_inspection_finds_its_images(out: Path) -> None:
    seen = look(out)
    assert not seen.faults
    told = seen.figures
    assert (told["format"], told["images"], told["identities"], told["made_by_fpsynth"]) == ("tar", 6, 3, True)


def test_inspection_names_what_is_broken(out: Path) -> None:
    (out / "data" / SHARDS[0]).write_bytes(b"no tar")
    next((out / "minutiae" / "train").rglob("*.fmr")).unlink()
    assert {fault.kind for fault in look(out).faults} >= {"damaged file", "changed file", "sidecar"}


def test_the_images_are_those_of_the_other_formats(out: Path, order: Order, tmp_path: Path) -> None:
    generate(Order(recipe=order.recipe, overrides=("output.format=parquet",), out=tmp_path / "other"), Console("quiet"))
    mine, other = images(out), images(tmp_path / "other")
    assert [item.encoded for item in mine] == [item.encoded for item in other]
    assert [item.words for item in mine] == [item.words for item in other]
