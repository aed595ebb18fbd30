"""Datasets of fingers that exist: from templates and from prints, whose matcher finds the finger again."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fpsynth.console import Console
from fpsynth.errors import UserError
from fpsynth.extractor import mindtct
from fpsynth.flow import Order, generate

GROWN = """\
name: grown
seed: 5
identities: 2
impressions: 1
sampling: {model: virtual}
gate: off
capture: {variation: 0.3}
prompt: {quality: excellent}
output: {format: png, minutiae: [iso19794-2]}
"""


def made(folder: Path, text: str) -> list[dict]:
    path = folder / "recipe.yaml"
    path.write_text(text)
    out = folder / text.split()[1]
    generate(Order(recipe=path, out=out), Console("quiet"))
    rows = pq.read_table(out / "train" / "metadata.parquet").to_pylist()
    for row in rows:
        row["file"] = out / "train" / row["file_name"]
    return rows


def bozorth3(row: dict) -> Any:
    return mindtct.extractor().extract_minutiae(mindtct.png_at_500(np.asarray(Image.open(row["file"])), 500))


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    return folder, made(folder, GROWN)


@pytest.mark.skipif(not mindtct.available(), reason="NIST's tools are not here")
@pytest.mark.parametrize(("kind", "ending"), [("minutiae", "fmr"), ("prints", "png")])
def test_a_rebuilt_finger_matches_the_one_that_it_was_rebuilt_from(grown, kind, ending):
    folder, sources = grown
    text = GROWN.replace("grown", kind) + f"finger: {{source: {{{kind}: 'grown/train/*/*.{ending}'}}}}\n"
    rows = made(folder, text)
    assert [row["source"] for row in rows] == [source["file"].with_suffix(f".{ending}").name for source in sources]
    assert [row["pattern"] for row in rows] == [source["pattern"] for source in sources]
    assert "rebuilt from a file" in (folder / kind / "README.md").read_text()
    assert "rebuilt" in Image.open(rows[0]["file"]).text["Description"]
    scores = np.array([[bozorth3(a).compare(bozorth3(b)) for b in sources] for a in rows])
    assert scores.diagonal().min() > 40 > scores[0, 1]


def test_a_picture_without_ridges_is_named(grown):
    folder, _ = grown
    Image.new("L", (256, 256), 200).save(folder / "blank.png")
    text = GROWN.replace("grown", "none").replace("identities: 2", "identities: 1")
    with pytest.raises(UserError, match=r"blank\.png: no ridges were found in it"):
        made(folder, text + "finger: {source: {prints: blank.png}}\n")
