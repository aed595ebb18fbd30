"""Reading: what was written comes back, whatever the format; other people's files in pieces that fit in memory."""

import io
import json
import tarfile
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fpsynth.dataset import DatasetSpec, DatasetWriter, manifest
from fpsynth.dataset.formats import open_format
from fpsynth.dataset.item import Item
from fpsynth.dataset.reader import image_folder
from fpsynth.dataset.reader.source import open_source
from fpsynth.dataset.row import png
from fpsynth.errors import UserError
from fpsynth.vocabulary import FORMATS
from tests.dataset.rows import row


def write(root: Path, form: str) -> Path:
    spec = DatasetSpec(name="t", splits={"train": 1, "fold_2": 1}, format=form, sidecars=("xyt",))
    writer = DatasetWriter(root, spec)
    writer.prepare()
    for index in writer.missing():
        writer.write(index, [row(index, k) for k in range(3)])
    assert writer.finish()
    return root


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_written_is_read(tmp_path: Path, form: str) -> None:
    root = write(tmp_path / "o", form)
    source = open_source(root, manifest.read(root))
    items = {item.name: item for unit in source.units for item in unit.read()}
    assert (source.form, source.ours, len(items)) == (form, True, 6)
    assert sum(unit.count() for unit in source.units) == 6
    got, wanted = items["000001_02"], row(1, 2)
    assert (got.identity, got.impression, got.split, got.subject) == ("1", 2, "fold_2", "1")
    assert got.encoded == png(wanted) and got.minutiae == tuple(wanted.minutiae) and got.size == (96, 128)
    assert (got.words["sensor"], got.words["skin"], got.gate["verdict"]) == (wanted.words["sensor"], None, "passed")
    assert got.sidecars["xyt"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_finds_nothing_in_a_folder_of_others(tmp_path: Path, form: str) -> None:
    for other in FORMATS:
        units = open_format(form, write(tmp_path / other, other)).units(())
        assert (units is None) == (other != form)


def test_the_format_of_the_manifest_is_asked_first(tmp_path: Path) -> None:
    root = write(tmp_path / "o", "png")
    pq.write_table(pa.table({"image": [png(row(0, 0))]}), root / "export.parquet")
    assert open_source(root, manifest.read(root)).form == "png"


def test_no_format_of_another_name(tmp_path: Path) -> None:
    for name in ("tiff", "protocol", ""):
        with pytest.raises(UserError, match="unknown format"):
            open_format(name, tmp_path)
        with pytest.raises(UserError, match="unknown format"):
            DatasetWriter(tmp_path, DatasetSpec(name="t", splits={"train": 1}, format=name))


def test_a_large_row_group_is_not_held_as_a_whole(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    rows = [{"image": {"bytes": noise.bytes(4000), "path": None}, "label": i} for i in range(10_000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet", row_group_size=10_000)
    del rows
    (unit,), before = open_source(tmp_path, None).units, pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in unit.read()]
    assert len(held) == 10_000 and max(held) < 20_000_000


def test_a_large_parquet_file_is_cut_between_its_row_groups(tmp_path: Path) -> None:
    small = [png(row(i, 0)) for i in range(4)]
    rows = [
        {"image": {"bytes": small[i % 4], "path": None}, "identity": i // 2, "impression": i % 2} for i in range(700)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet", row_group_size=100)
    units = open_source(tmp_path, None).units
    assert [unit.count() for unit in units] == [300, 300, 100]
    assert len({unit.digest() for unit in units}) == 3
    read = [item.identity for unit in units for item in unit.read()]
    assert read == [str(i // 2) for i in range(700)]
    content = bytearray((tmp_path / "x.parquet").read_bytes())
    before = [unit.digest() for unit in units]
    content[len(content) // 2] ^= 1
    (tmp_path / "x.parquet").write_bytes(content)
    assert [a == b for a, b in zip(before, (unit.digest() for unit in units), strict=True)] == [True, False, True]


def items(root: Path) -> list[Item]:
    return [item for unit in open_source(root, None).units for item in unit.read()]


def archive(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_images_beside_the_archive_that_they_came_in(tmp_path: Path) -> None:
    images = {f"101_{k}.png": png(row(101, k)) for k in range(2)}
    for name, content in images.items():
        (tmp_path / name).write_bytes(content)
    archive(tmp_path / "images.tar", images)
    assert open_source(tmp_path, None).form == "folder"
    assert [item.identity for item in items(tmp_path)] == ["101", "101"]


def test_anybodys_webdataset_with_a_label(tmp_path: Path) -> None:
    for shard in range(2):
        told = {f"./set/{shard}{k}": {"label": k // 2, "finger": 12} for k in range(4)}
        members = {f"{key}.PNG": png(row(shard, k)) for k, key in enumerate(told)}
        members |= {f"{key}.json": json.dumps(value).encode() for key, value in told.items()}
        archive(tmp_path / f"prints-{shard:06d}.tar", dict(sorted(members.items())))
    assert open_source(tmp_path, None).form == "webdataset"
    read = items(tmp_path)
    assert [item.identity for item in read] == ["0", "0", "1", "1"] * 2
    assert {item.split for item in read} == {"prints"} and len({item.name for item in read}) == 8
    assert read[1].encoded == png(row(0, 1)) and read[0].words["finger"] == "12"


def test_without_a_label_each_image_of_a_webdataset_is_a_finger(tmp_path: Path) -> None:
    for shard in range(2):
        archive(tmp_path / f"{shard}.tar", {"7.json": b'{"caption": "a print"}', "7.jpg": png(row(shard, 0))})
    read = items(tmp_path)
    assert len({item.identity for item in read}) == 2 and read[1].encoded == png(row(1, 0))


@pytest.mark.parametrize("broken", [{"2.png": b""}, {"2.json": b"[]"}, {"2.json": b"{"}, {"2.json": b"\xff"}])
def test_a_damaged_sample_is_named(tmp_path: Path, broken: dict[str, bytes]) -> None:
    archive(tmp_path / "x.tar", {"1.png": png(row(1, 0)), "1.json": b'{"label": 1}', **broken})
    with pytest.raises(ValueError, match=r"^2: "):
        items(tmp_path)
    with pytest.raises(ValueError, match=r"^1: not the columns of a dataset of fpsynth"):
        list(open_format("webdataset", tmp_path).rows(tmp_path / "x.tar"))


@pytest.mark.parametrize("label", ["label", "person"])
def test_anybodys_image_folder_with_a_label(tmp_path: Path, label: str) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        rows = [{"file_name": f"{k}.png", label: f"{split} {k // 2}"} for k in range(4)]
        for k in range(4):
            (tmp_path / split / f"{k}.png").write_bytes(png(row(9, k)))
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / split / "metadata.parquet")
    read = items(tmp_path)
    assert [item.identity for item in read] == [f"{split} {k // 2}" for split in ("test", "train") for k in range(4)]
    assert read[3].encoded == png(row(9, 3)) and len({item.name for item in read}) == 8


@pytest.mark.parametrize("folder", ["", "train"])
@pytest.mark.parametrize("table", ["metadata.csv", "metadata.jsonl"])
def test_image_folders_with_a_table_in_text(
    tmp_path: Path, folder: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_folder, "ROWS", 2)
    home = tmp_path / folder
    (home / "scans").mkdir(parents=True)
    told = [{"file_name": f"scans/{k}.png", "subject": f"{k // 2:03}", "ppi": 500, "skin": "dry"} for k in range(5)]
    for k, one in enumerate(told):
        (home / one["file_name"]).write_bytes(png(row(9, k)))
    rows = datasets.Dataset.from_list(told)
    (rows.to_csv if table == "metadata.csv" else rows.to_json)(home / table)
    read = items(tmp_path)
    assert [item.identity for item in read] == [one["subject"] for one in told]
    assert [item.encoded for item in read] == [png(row(9, k)) for k in range(5)]
    assert {(item.ppi, item.words["skin"], item.split) for item in read} == {(500, "dry", folder or None)}
    assert [unit.count() for unit in open_source(tmp_path, None).units] == [2, 2, 1]
    (stock,) = datasets.load_dataset("imagefolder", data_dir=str(tmp_path)).values()
    assert stock.num_rows == 5 and stock[3]["ppi"] == 500


def test_a_table_of_something_else_does_not_hide_a_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("person,age\n7,30\n")
    (tmp_path / "7_1.png").write_bytes(png(row(9, 1)))
    assert [item.identity for item in items(tmp_path)] == ["7"]


@pytest.mark.parametrize("text", ["file_name,person\n1.png\n", "file_name,person\n\xff,,,\n"])
def test_a_damaged_table_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "metadata.csv").write_bytes(text.encode("latin-1"))
    (unit,) = open_source(tmp_path, None).units
    with pytest.raises(ValueError):
        unit.count()


@pytest.mark.parametrize("names", [{}, {"file_name": None}, {"file_name": 7}])
def test_an_image_folder_that_names_no_files(tmp_path: Path, names: dict[str, object]) -> None:
    (tmp_path / "train").mkdir()
    pq.write_table(pa.Table.from_pylist([{"label": 1, **names}]), tmp_path / "train" / "metadata.parquet")
    (unit,) = open_source(tmp_path, None).units
    for read in (unit.digest, lambda: list(unit.read())):
        with pytest.raises(ValueError, match="file_name"):
            read()


@pytest.mark.parametrize(
    "columns",
    [
        {"minutiae": [[1.0, 2.0, 3.0]]},
        {"minutiae": [{"row": 1, "column": 2}]},
        {"minutiae": [{"x": None, "y": 2.0, "angle": 3.0}]},
        {"minutiae": [{"x": 1.0, "y": 2.0, "angle": 3.0, "kind": 2}]},
        {"gate": "passed"},
        {"gate": {"verdict": 99}},
        {"impression": [1]},
    ],
)
def test_columns_with_our_names_and_another_shape(tmp_path: Path, columns: dict[str, object]) -> None:
    rows = [{"image": png(row(0, 0)), "label": 1, **columns}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"x\.parquet#0: "):
        items(tmp_path)


def test_a_parquet_file_without_identities_among_ours(tmp_path: Path) -> None:
    root = write(tmp_path / "o", "parquet")
    pq.write_table(pa.table({"image": [png(row(0, 0))]}), root / "export.parquet")
    unit = next(unit for unit in open_source(root, manifest.read(root)).units if unit.name == "export.parquet")
    with pytest.raises(ValueError, match="identity"):
        list(unit.read())


def test_a_code_of_minus_one_says_nothing(tmp_path: Path) -> None:
    """`datasets` writes it for a missing class label."""
    kinds = datasets.ClassLabel(names=["ann", "bob"])
    columns = {"image": datasets.Value("binary"), "label": kinds, "sensor": datasets.ClassLabel(names=["ink", "foil"])}
    rows = [{"image": png(row(k, 0)), "label": k - 1, "sensor": k - 1} for k in range(3)]
    datasets.Dataset.from_list(rows, features=datasets.Features(columns)).to_parquet(tmp_path / "x.parquet")
    read = items(tmp_path)
    assert [item.words["sensor"] for item in read] == [None, "ink", "foil"]
    assert [item.identity for item in read] == ["x.parquet#0", "ann", "bob"]


def test_rows_without_a_label_are_fingers_of_their_own(tmp_path: Path) -> None:
    rows = [{"image": png(row(k, 0)), "label": label} for k, label in enumerate((0, 0, None, None))]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    assert [item.identity for item in items(tmp_path)] == ["0", "0", "x.parquet#2", "x.parquet#3"]


def identities(root: Path, *names: str) -> list[str]:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return [item.identity for item in items(root)]


def test_the_same_name_in_another_folder_is_another_finger(tmp_path: Path) -> None:
    assert identities(tmp_path, "DB1_B/101_1.png", "DB1_B/101_2.png", "DB2_B/101_1.png", "101_1.png") == [
        "101",
        "DB1_B/101",
        "DB1_B/101",
        "DB2_B/101",
    ]


@pytest.mark.parametrize("names", [("ann.png", "bob.png", "bob.tif"), ("_1.png", "_2.png")])
def test_images_whose_names_do_not_say_are_fingers_of_their_own(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert identities(tmp_path / "flat", *names) == list(names)
    folders = identities(tmp_path / "folders", *(f"{folder}/{name}" for folder in "pq" for name in names))
    assert folders == ["p"] * len(names) + ["q"] * len(names)
