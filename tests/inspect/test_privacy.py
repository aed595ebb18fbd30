"""A dataset that repeats a training image is caught; one of other fingers is not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fpsynth.errors import UserError
from fpsynth.extractor.mindtct import available
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.inspect.look import Options, inspect_path
from fpsynth.inspect.measure import privacy
from fpsynth.sensor import draw_device, render

nist = pytest.mark.skipif(not available(), reason="nbis-python is not installed")


def save(folder: Path, fingers: dict[str, int], impressions: range) -> Path:
    folder.mkdir(exist_ok=True)
    for name, seed in fingers.items():
        finger = make_finger(np.random.default_rng(seed), "whorl")
        for k in impressions:
            rng = np.random.default_rng([seed, k])
            image = render(capture(finger, CaptureSettings(), rng), draw_device("optical", rng), rng)
            Image.fromarray(image.numpy()).save(folder / f"{name}_{k}.png")
    return folder


def look(data: Path, training: Path, judges: bool = True) -> dict:
    options = Options(judges=judges, training=training, workers=1, cache=False)
    return inspect_path(data, options).figures["privacy"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("privacy")
    training = save(home / "training", {"a": 1, "b": 2, "c": 3}, range(1))
    return training, save(home / "copied", {"x": 2, "y": 12, "z": 13}, range(1, 3))


@nist
def test_a_repeated_finger_is_flagged_and_a_new_one_is_not(folders):
    training, copied = folders
    found = look(copied, training)
    assert found["images"] == 6 and found["training_images"] == 3
    first, second, *others = found["list"]
    assert {(p["image"], p["training_image"]) for p in (first, second)} == {
        ("x_1.png", "b_0.png"),
        ("x_2.png", "b_0.png"),
    }
    assert all(2 * p["score"] < second["score"] for p in others)  # six comparisons set the threshold: chance passes it
    assert found["expected_by_chance"] == 0.0


def test_without_judges_the_embedding_finds_the_repeated_finger(folders):
    training, copied = folders
    found = look(copied, training, judges=False)
    assert (found["matcher"], found["compared_with_each"]) == ("embedding", 3)
    assert ("x_1.png", "b_0.png") in {(p["image"], p["training_image"]) for p in found["list"][:2]}


@nist
def test_of_many_training_images_the_likeliest_are_compared(folders, monkeypatch):
    training, copied = folders
    monkeypatch.setattr(privacy, "MOST", 6)
    monkeypatch.setattr(privacy, "FEWEST", 1)
    found = look(copied, training)
    assert (found["matcher"], found["compared_with_each"]) == ("bozorth3", 1)
    assert {"x_1.png", "x_2.png"} == {p["image"] for p in found["list"][:2]}


def test_without_judges_a_shared_finger_is_named(folders, tmp_path):
    save(tmp_path / "data", {"p": 21, "q": 22, "r": 23, "s": 24}, range(3))
    save(tmp_path / "data", {"twin": 22}, range(3, 6))
    seen = inspect_path(tmp_path / "data", Options(judges=False, workers=1, cache=False))
    (fault,) = [fault for fault in seen.faults if fault.kind == "shared finger"]
    assert "identities q and twin are one finger (median cosine" in fault.message
    assert seen.exit_code == 3


def test_no_training_images(folders, tmp_path):
    with pytest.raises(UserError):
        look(folders[1], tmp_path / "nothing")
