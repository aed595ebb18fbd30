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
from tests.diffusion.conftest import bundle  # noqa: F401

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
    return made_of(path, folder / text.split()[1])


def made_of(path: Path, out: Path, *overrides: str) -> list[dict]:
    generate(Order(recipe=path, out=out, overrides=overrides), Console("quiet"))
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
    assert "made from a file" in Image.open(rows[0]["file"]).text["Description"]
    scores = np.array([[bozorth3(a).compare(bozorth3(b)) for b in sources] for a in rows])
    assert scores.diagonal().min() > 40 > scores[0, 1]


def test_a_picture_without_ridges_is_named(grown):
    folder, _ = grown
    Image.new("L", (256, 256), 200).save(folder / "blank.png")
    text = GROWN.replace("grown", "none").replace("identities: 2", "identities: 1")
    with pytest.raises(UserError, match=r"blank\.png: no ridges were found in it"):
        made(folder, text + "finger: {source: {prints: blank.png}}\n")


@pytest.mark.parametrize(
    ("verb", "kept"), [("refine", 0), ("restyle", 0), pytest.param("complete", 1, marks=pytest.mark.slow)]
)
def test_prints_are_drawn_anew_as_a_dataset(grown, bundle, verb, kept):  # noqa: F811
    """Each file an identity, cut or filled to the recipe's size; what is kept is kept to the pixel."""
    folder, sources = grown
    text = (
        GROWN.replace("grown", verb)
        .replace("impressions: 1", "impressions: 2\nimage: {width: 320, height: 384}")
        .replace("model: virtual", f"model: {bundle}, steps: 2")
    )
    listed = f"finger: {{source: {{images: 'grown/train/*/*.png', verb: {verb}}}}}\n"
    rows = made(folder, text + listed)
    assert [row["source"] for row in rows] == [source["file"].name for source in sources for _ in range(2)]
    assert all(row["pattern"] is None and row["minutiae"] for row in rows)
    pictures = [np.asarray(Image.open(row["file"])) for row in rows]
    assert {picture.shape for picture in pictures} == {(384, 320)}
    assert not np.array_equal(pictures[0], pictures[1])
    whole = np.asarray(Image.open(sources[0]["file"]))
    original = whole[64:-64, 96:-96]
    assert (np.mean(pictures[0] == original) > 0.3) == bool(kept)
    card = (folder / verb / "README.md").read_text()
    assert "a print that existed, drawn anew" in card and "no truth" in card and "license: other" in card
    kept_recipe = folder / f"{verb}.yaml"  # the card's own recipe makes it again
    kept_recipe.write_text(card.split("```yaml\n")[1].split("```")[0])
    listed_again = ("output.format=png", f"finger.source.images={folder}/grown/train/*/*.png", f"name={verb}-again")
    again = made_of(kept_recipe, folder / f"{verb}-again", *listed_again)
    assert [row["sha256"] for row in again] == [row["sha256"] for row in rows]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ("sampling: {model: virtual}", "finger.source.images: a diffusion model draws prints anew"),
        ("image: {ppi: 1000}", "image.ppi: prints are drawn anew at 500 ppi"),
        ("finger: {source: {images: a.png, prints: a.png}}", "finger.source: one of minutiae, prints and images"),
        ("finger: {source: {images: a.png, verb: refin}}", "did you mean refine"),
    ],
)
def test_prints_that_cannot_be_drawn_anew(tmp_path, changes, line):
    Image.effect_noise((64, 64), 50).save(tmp_path / "a.png")
    path = tmp_path / "recipe.yaml"
    default = "" if changes.startswith("finger") else "finger: {source: {images: a.png}}\n"
    path.write_text(f"identities: 1\nimpressions: 1\n{default}{changes}\n")
    with pytest.raises(UserError, match=line):
        generate(Order(recipe=path, out=tmp_path / "out"), Console("silent"))
