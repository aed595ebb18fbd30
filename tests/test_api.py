"""The functions of the package: a recipe made, a dataset opened, as docs/api.md says."""

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import fpsynth
from fpsynth.dataset.prints import Prints
from fpsynth.errors import UserError
from fpsynth.slots import SLOTS
from tests.test_exchange import RECIPE

GUIDE = Path(__file__).parents[1] / "docs" / "api.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    (folder / "recipe.yaml").write_text(RECIPE)
    return fpsynth.generate(folder / "recipe.yaml", folder / "out", {"output.format": "webdataset", "identities": 5})


def test_a_dataset_is_made_and_opened(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prints = fpsynth.open(made)
    assert len(prints) == 10 and prints.identities == (0, 1, 2, 3, 4)
    one = prints[-1]
    assert one.image.shape == (1, 128, 128) and one.image.dtype == torch.uint8
    assert one.minutiae.shape[1] == 5 and one.words["sensor"] in ("optical", "ink")
    assert one.words.keys() == SLOTS.keys() and one.words["technique"] is None
    assert capsys.readouterr() == ("", "")


def test_labels_of_a_split_have_no_gaps(made: Path) -> None:
    for split in ("train", "test"):
        prints = fpsynth.open(made, split)
        labels = [prints[n].label for n in range(len(prints))]
        assert sorted(set(labels)) == list(range(len(prints.identities)))
        assert [prints.identities[label] for label in labels] == [prints[n].identity for n in range(len(prints))]


def test_all_formats_open_alike(made: Path, tmp_path: Path) -> None:
    wanted = fpsynth.open(made, "train")
    for form in ("parquet", "png"):
        out = fpsynth.generate(
            made.parent / "recipe.yaml", tmp_path / form, {"output.format": form, "identities": 5}, overwrite=True
        )
        opened = fpsynth.open(out, "train")
        for a, b in zip(wanted, opened, strict=True):
            assert (a.id, a.label, a.words) == (b.id, b.label, b.words)
            assert torch.equal(a.image, b.image) and np.allclose(a.minutiae, b.minutiae)


def test_a_loader_batches_them(made: Path) -> None:
    batch = next(iter(DataLoader(fpsynth.open(made), batch_size=4, shuffle=True, collate_fn=Prints.collate)))
    assert batch.images.shape == (4, 1, 128, 128) and batch.labels.shape == (4,) and len(batch.words) == 4


def test_mistakes_are_told(made: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished dataset"):
        fpsynth.open(tmp_path)
    with pytest.raises(UserError, match="has no split valid: one of train, test"):
        fpsynth.open(made, "valid")
    with pytest.raises(UserError, match="unknown key"):
        fpsynth.generate(made.parent / "recipe.yaml", tmp_path / "out", {"sampling.stpes": 8})
    with pytest.raises(AttributeError, match="has no attribute 'close'"):
        _ = fpsynth.close


def test_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(GUIDE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert failed == 0 and tried > 10
