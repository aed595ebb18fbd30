"""Reading: what was written comes back, whatever the format; other people's files in pieces that fit in memory."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fpsynth.dataset import DatasetSpec, DatasetWriter, manifest
from fpsynth.dataset.formats import open_format
from fpsynth.dataset.reader.source import open_source
from fpsynth.dataset.row import png
from fpsynth.errors import UserError
from fpsynth.vocabulary import FORMATS
from tests.dataset.rows import row


def write(root: Path, form: str) -> Path:
    spec = DatasetSpec(name="t", splits={"train": 1, "test": 1}, format=form, sidecars=("xyt",))
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
    assert (got.identity, got.impression, got.split, got.subject) == ("1", 2, "test", "1")
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
