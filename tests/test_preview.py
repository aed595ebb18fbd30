"""A preview shows what generate makes."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fpsynth.console import Console
from fpsynth.dataset.mosaic import GAP, SIZE
from fpsynth.errors import UserError
from fpsynth.flow import Order, generate, preview
from fpsynth.making.preview import first_rows
from fpsynth.recipe import Recipe, make_plan

RECIPE = """\
name: two
identities: 2
impressions: 2
image: {width: 256, height: 256}
sampling: {model: virtual}
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def test_the_sheet_holds_the_images_of_the_dataset(recipe, tmp_path, capsys):
    preview(Order(recipe=recipe), 12, Console("quiet"))
    assert capsys.readouterr().out == "two-preview.png\n"
    sheet = np.asarray(Image.open(tmp_path / "two-preview.png"))
    assert {path.name for path in tmp_path.iterdir()} == {"recipe.yaml", "two-preview.png"}
    generate(Order(recipe=recipe, out=tmp_path / "out"), Console("quiet"))
    rows = pq.read_table(tmp_path / "out" / "data").to_pylist()
    assert len(rows) == 4
    for row in rows:
        top, left = (GAP + number * (SIZE + GAP) for number in (row["identity"], row["impression"]))
        image = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))
        assert np.array_equal(sheet[top : top + SIZE, left : left + SIZE], image)


@pytest.mark.parametrize(
    ("identities", "impressions", "count", "shape"),
    [(100, 4, 12, (4, 3)), (2, 50, 12, (2, 6)), (50, 1, 12, (12, 1)), (1, 1, 12, (1, 1)), (9, 9, 1, (1, 1))],
)
def test_fingers_go_down_and_impressions_across(identities, impressions, count, shape):
    plan = make_plan(Recipe.model_validate({"identities": identities, "impressions": impressions}))
    lines = first_rows(plan, count)
    assert (len(lines), len(lines[0])) == shape
    planned = [row for shard in plan.shards for row in plan.rows(shard)]
    assert all(row in planned for line in lines for row in line)


def test_a_mistake_leaves_nothing(recipe, tmp_path):
    with pytest.raises(UserError, match="unknown key"):
        preview(Order(recipe=recipe, overrides=("sampling.stepz=3",)), 12, Console("quiet"))
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]
