"""verify and export on a dataset that generate made: what other tools read is what was generated."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fpsynth.console import Console
from fpsynth.errors import UserError
from fpsynth.flow import Order, generate
from fpsynth.making.exchange import export_dataset, verify_dataset

RECIPE = """\
name: tiny
identities: 3
impressions: 2
image: {width: 128, height: 128}
sampling: {model: virtual}
gate: off
prompt: {sensor: {optical: 0.5, ink: 0.5}}
output: {format: parquet, shard_images: 2, minutiae: [iso19794-2, json]}
splits: {train: 0.67, test: 0.33}
"""
QUIET = Console("quiet")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("made")
    (folder / "recipe.yaml").write_text(RECIPE)
    for form in ("parquet", "png", "webdataset"):
        order = Order(recipe=folder / "recipe.yaml", overrides=(f"output.format={form}",), out=folder / form)
        generate(order, QUIET)
    return {form: folder / form for form in ("parquet", "png", "webdataset")}


def files(root: Path, *but: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name not in but
    }


@pytest.mark.parametrize("source", ["parquet", "png", "webdataset"])
@pytest.mark.parametrize("to", ["parquet", "png", "webdataset"])
def test_an_exported_dataset_is_the_generated_one(made, source: str, to: str, tmp_path: Path) -> None:
    export_dataset(made[source], to, tmp_path / "o", QUIET)
    told = ("README.md", "manifest.json")  # these say where it came from
    assert files(tmp_path / "o", *told) == files(made[to], *told)
    assert verify_dataset(tmp_path / "o", QUIET)


def test_an_export_that_was_cut_off_goes_on(made, tmp_path: Path) -> None:
    export_dataset(made["png"], "parquet", tmp_path / "o", QUIET)
    before = files(tmp_path / "o")
    (tmp_path / "o" / "data" / "train-00000-of-00002.parquet").unlink()
    export_dataset(made["png"], "parquet", tmp_path / "o", QUIET)
    assert files(tmp_path / "o") == before


def test_wsq_reads_back_as_the_print_at_the_specification_s_rate(made, tmp_path: Path) -> None:
    pytest.importorskip("wsq", reason="the extra 'wsq' is not installed")
    export_dataset(made["png"], "wsq", tmp_path / "wsq", QUIET)
    written = sorted((tmp_path / "wsq").rglob("*.wsq"), key=lambda path: path.name)
    assert [path.name for path in written] == [f"{f}_{i}.wsq" for f in (1, 2, 3) for i in (1, 2)]
    for path in written:
        finger, impression = (int(part) - 1 for part in path.stem.split("_"))
        (original,) = made["png"].rglob(f"{finger:06}_{impression:02}.png")
        with Image.open(original) as print_, Image.open(path) as read:
            before, after = np.asarray(print_, float), np.asarray(read.convert("L"), float)
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.95
        assert path.stat().st_size < before.size / 6


def test_records_and_fvc_names(made, tmp_path: Path) -> None:
    export_dataset(made["webdataset"], "iso19794-2", tmp_path / "iso", QUIET)
    beside = {name: content for name, content in files(made["png"]).items() if name.endswith(".fmr")}
    assert files(tmp_path / "iso") == beside and len(beside) == 6
    export_dataset(made["parquet"], "fvc", tmp_path / "fvc", QUIET)
    names = sorted(name.rpartition("/")[2] for name in files(tmp_path / "fvc"))
    assert names == [f"{finger}_{impression}.png" for finger in (1, 2, 3) for impression in (1, 2)]
    (image,) = (tmp_path / "fvc").rglob("2_1.png")
    assert image.read_bytes() == next(made["png"].rglob("000001_00.png")).read_bytes()
    with pytest.raises(UserError, match="is there already"):
        export_dataset(made["parquet"], "fvc", tmp_path / "fvc", QUIET)
    with pytest.raises(UserError, match="--to tiff: one of parquet, "):
        export_dataset(made["parquet"], "tiff", tmp_path / "tiff", QUIET)


def test_verify_names_files_and_ends_with_3(made, tmp_path: Path) -> None:
    root = tmp_path / "o"
    export_dataset(made["parquet"], "png", root, QUIET)
    next(root.rglob("*.fmr")).unlink()
    command = [sys.executable, "-m", "fpsynth", "verify", str(root), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    damaged = json.loads(run.stdout)["damaged"]
    assert run.returncode == 3 and len(damaged) == 1 and damaged[0]["file"].endswith("metadata.parquet")
    assert "iso19794-2 file of" in damaged[0]["what"] and "missing" in damaged[0]["what"]


def rows(path: Path) -> Iterator[dict[str, object]]:
    for row in pq.read_table(path).to_pylist():
        yield {
            "id": row["id"],
            "identity": row["identity"],
            "recall": row["gate"]["recall"],
            "png": row["image"]["bytes"],
        }


def test_pandas_polars_duckdb_and_torch_read_the_same_rows(made) -> None:
    import datasets
    import duckdb
    import pandas as pd
    import polars as pl
    from torch.utils.data import DataLoader

    data = made["parquet"] / "data"
    wanted = [row for path in sorted(data.glob("*.parquet")) for row in rows(path)]
    names, labels, images = ([row[key] for row in wanted] for key in ("id", "identity", "png"))
    frame = pd.concat(map(pd.read_parquet, sorted(data.glob("*.parquet"))))
    assert frame["id"].tolist() == names and [image["bytes"] for image in frame["image"]] == images
    polar = pl.read_parquet(data / "*.parquet")
    assert polar["id"].to_list() == names and polar["image"].struct.field("bytes").to_list() == images
    told = duckdb.sql(
        f"select id, identity, image.bytes, gate.recall from '{data}/*.parquet' order by filename"
    ).fetchall()
    assert [row[:3] for row in told] == list(zip(names, labels, images, strict=True))
    assert polar.schema["minutiae"].inner.fields[0].dtype == pl.Float32 and frame["identity"].dtype == "int64"
    table = datasets.Dataset.from_parquet([str(path) for path in sorted(data.glob("*.parquet"))]).with_format("torch")
    batch = next(iter(DataLoader(table.select_columns(["image", "identity"]), batch_size=6)))
    assert batch["identity"].tolist() == labels and tuple(batch["image"].shape[-2:]) == (128, 128)
