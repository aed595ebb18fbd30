"""Images of another resolution than the model was taught: drawn at that one, and brought to what was asked."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fpsynth.console import Console
from fpsynth.extractor.own import see
from fpsynth.extractor.ridges import at_500, block_periods
from fpsynth.flow import Order, generate
from fpsynth.model_folder import Knows


def test_which_resolutions_a_model_can_be_brought_to():
    known = Knows(ppi=(500,))
    assert [known.scale(ppi) for ppi in (250, 500, 700, 1000)] == [2, 1, 1, 0.5]
    assert Knows().scale(1000) == 1


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """ppi -> (image, row) of the same finger of 13 mm, by the bundled model."""
    folder, found = tmp_path_factory.mktemp("resolutions"), {}
    for ppi in (250, 500, 1000):
        side, recipe = ppi * 256 // 500, folder / f"{ppi}.yaml"
        image = f"{{width: {side}, height: {side}, ppi: {ppi}}}"
        text = f"identities: 1\nimpressions: 1\nimage: {image}\nprompt: {{sensor: optical}}\ngate: off\n"
        recipe.write_text(text)
        generate(Order(recipe=recipe, out=folder / str(ppi), device="cpu"), Console("quiet"))
        (file,) = (folder / str(ppi) / "data").iterdir()
        (row,) = pq.read_table(file).to_pylist()
        found[ppi] = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))), row
    return found


def test_ridges_are_as_far_apart_as_the_resolution_says(made):
    period = {}
    for ppi, (image, _) in made.items():
        assert image.shape == (ppi * 256 // 500,) * 2
        at = at_500(image, ppi)
        period[ppi] = np.median(block_periods(at, see(at).mask))
    assert all(abs(period[ppi] / period[500] - 1) < 0.05 for ppi in (250, 1000))


def test_the_same_picture_at_every_resolution(made):
    """Its truth too, but for minutiae at the very edge of the contact: they lie in the pixels that were asked for."""
    coarse, usual, fine = (made[ppi] for ppi in (250, 500, 1000))
    mean = fine[0].reshape(256, 2, 256, 2).mean((1, 3))
    assert np.corrcoef(mean.ravel(), usual[0].ravel())[0, 1] > 0.9
    small = usual[0].reshape(128, 2, 128, 2).mean((1, 3))
    assert np.corrcoef(small.ravel(), coarse[0].ravel())[0, 1] > 0.9
    there, here = ([(m["x"], m["y"]) for m in row["minutiae"]] for _, row in (usual, fine))
    found = [any(np.hypot(x / 2 - u, y / 2 - v) < 2 for u, v in there) for x, y in here]
    assert len(found) > 5 and np.mean(found) >= 0.9
