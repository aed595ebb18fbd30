"""Datasets: read back by `datasets`, the same bytes whatever happened on the way, nothing half-written."""

import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fpsynth.dataset import DatasetSpec, DatasetWriter, Row, features, manifest
from fpsynth.dataset.formats import open_format
from fpsynth.dataset.reader.source import open_source
from fpsynth.dataset.row import facts, png
from fpsynth.dataset.spec import Part
from fpsynth.dataset.stored import row_of
from fpsynth.dataset.verify import damages
from fpsynth.errors import UserError
from fpsynth.files import LOCK, Busy
from fpsynth.minutiae import iso19794, xyt
from tests.dataset.rows import row, shard

FORMATS = ("parquet", "png", "webdataset")
SIDECARS = ("iso19794-2", "ansi378", "xyt", "json")


def spec(form: str = "parquet", sidecars: tuple[str, ...] = SIDECARS, **provenance: str | int) -> DatasetSpec:
    return DatasetSpec(
        name="t",
        splits={"train": 2, "test": 1},
        format=form,
        sidecars=sidecars,
        provenance={"recipe": "abc", **provenance},
        recipe="name: t\n",
    )


def build(root: Path, form: str, rows: Callable[[int], Iterator[Row]] = shard, verify: bool = False) -> DatasetWriter:
    writer = DatasetWriter(root, spec(form))
    writer.prepare(verify=verify)
    for index in writer.missing():
        assert writer.write(index, rows(index)) == 6
    assert writer.finish()
    return writer


def tree(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    roots = {form: tmp_path_factory.mktemp(form) / "out" for form in FORMATS}
    for form, root in roots.items():
        build(root, form)
    return roots


def check(data, cache: Path) -> None:
    """The first test identity, as `datasets` gives it, is the row that was written."""
    got, wanted = data["test"][0], row(6, 0)
    assert {split: len(data[split]) for split in data} == {"train": 12, "test": 6}
    assert np.array_equal(np.asarray(got["image"]), wanted.image)
    assert data["test"].features["pattern"].int2str(got["pattern"]) == wanted.words["pattern"]
    assert data["test"].features["sensor"].int2str(got["sensor"]) == wanted.words["sensor"]
    assert data["test"].features["surface"].int2str(got["surface"]) == "card" and got["pressure"] is None
    assert got["skin"] is None and got["seed"] == wanted.seed and got["identity"] == 6
    kinds = data["test"].features["minutiae"].feature["kind"]
    found = [(m["x"], m["y"], m["angle"], kinds.int2str(m["kind"]), m["quality"]) for m in got["minutiae"]]
    assert found == [tuple(m) for m in wanted.minutiae]
    assert (got["gate"]["recall"], got["gate"]["extractor"]) == (0.875, "mindtct")
    assert got["renderer"]["student"] == "default"


@pytest.mark.parametrize(
    ("form", "builder", "folder"),
    [
        ("parquet", "parquet", "data"),
        ("parquet", None, ""),
        ("png", "imagefolder", ""),
        ("png", None, ""),
    ],
)
def test_datasets_reads_it_back(made, form: str, builder: str | None, folder: str, tmp_path: Path) -> None:
    import datasets

    path = str(made[form] / folder)
    datasets.disable_progress_bars()
    options = {"path": builder, "data_dir": path} if builder else {"path": path}
    check(datasets.load_dataset(**options, cache_dir=str(tmp_path)), tmp_path)


def test_webdataset_is_read_by_its_readers(made, tmp_path: Path) -> None:
    import datasets
    import webdataset

    wanted = row(6, 0)
    got = datasets.load_dataset(str(made["webdataset"]), cache_dir=str(tmp_path))["test"][0]
    assert np.array_equal(np.asarray(got["png"]), wanted.image) and got["cls"] == 6
    assert (got["json"]["pattern"], got["json"]["skin"]) == (wanted.words["pattern"], None)
    assert got["json"]["minutiae"][1]["kind"] == "bifurcation" and got["json"]["gate"]["verdict"] == "passed"
    shards = sorted(str(path) for path in (made["webdataset"] / "data").glob("test-*.tar"))
    tuples = webdataset.WebDataset(shards, shardshuffle=False).decode("l8").to_tuple("png", "cls", "fmr")
    image, label, record = next(iter(tuples))
    assert np.array_equal(image, wanted.image) and label == 6
    assert iso19794.decode(record).views[0].minutiae[1] == (95, 90, 90, "bifurcation", 7)


@pytest.mark.parametrize("form", ["parquet", "png"])
def test_streaming_gives_images(made, form: str) -> None:
    import datasets

    first = next(iter(datasets.load_dataset(str(made[form]), split="train", streaming=True)))
    assert np.array_equal(np.asarray(first["image"]), row(0, 0).image)


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_rows_give_the_same_bytes(made, form: str, tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    writer = DatasetWriter(root, spec(form))
    writer.prepare()
    for index in reversed(writer.missing()):
        writer.write(index, shard(index))
    writer.finish()
    assert tree(root) == tree(made[form])


@pytest.mark.parametrize("form", FORMATS)
def test_a_finished_dataset_is_left_alone(made, form: str) -> None:
    before = tree(made[form])
    writer = DatasetWriter(made[form], spec(form))
    writer.prepare()
    assert writer.missing() == [] and writer.finish()
    assert tree(made[form]) == before


def test_parquet_layout(made) -> None:
    path = made["parquet"] / "data" / "train-00000-of-00002.parquet"
    stored = pq.ParquetFile(path)
    columns = {stored.metadata.row_group(0).column(i).path_in_schema: i for i in range(len(stored.schema))}
    assert stored.metadata.row_group(0).column(columns["image.bytes"]).compression == "UNCOMPRESSED"
    assert stored.metadata.row_group(0).column(columns["prompt"]).compression == "ZSTD"
    assert json.loads(stored.schema_arrow.metadata[b"huggingface"])["info"]["features"]["image"] == {"_type": "Image"}
    assert features().arrow_schema.equals(stored.schema_arrow)


def test_row_groups_hold_at_most_256_rows(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "o", DatasetSpec(name="t", splits={"train": 1}))
    writer.prepare()
    small = np.zeros((64, 64), np.uint8)
    writer.write(0, (Row(**{**vars(row(i, 0)), "image": small}) for i in range(300)))
    stored = pq.ParquetFile(writer.path(0)).metadata
    assert [stored.row_group(i).num_rows for i in range(stored.num_row_groups)] == [256, 44]


def test_images_say_their_resolution(made) -> None:
    with Image.open(made["png"] / "train" / "000001" / "000001_01.png") as image:
        assert round(image.info["dpi"][0]) == 500 and image.mode == "L"
    stored = pq.read_table(made["parquet"] / "data" / "test-00000-of-00001.parquet").to_pylist()[0]
    assert hashlib.sha256(stored["image"]["bytes"]).hexdigest() == stored["sha256"]
    assert round(Image.open(io.BytesIO(stored["image"]["bytes"])).info["dpi"][0]) == 500


@pytest.mark.parametrize("form", ["parquet", "png"])
def test_sidecars_hold_the_minutiae(made, form: str) -> None:
    folder = made[form] / ("minutiae/train" if form == "parquet" else "train") / "000002"
    record = iso19794.decode((folder / "000002_01.fmr").read_bytes())
    assert record.views[0].position == 2 and record.views[0].minutiae[1] == (95, 90, 90, "bifurcation", 7)
    assert xyt.decode((folder / "000002_01.xyt").read_text(), 128)[1][:3] == (96, 90, 90)
    assert json.loads((folder / "000002_01.json").read_text())["minutiae"][0]["angle"] == 359.5


def test_manifest_lists_digests(made) -> None:
    for root in made.values():
        content = json.loads((root / "manifest.json").read_text())
        assert content["complete"] and content["provenance"] == {"recipe": "abc"}
        for entry in content["shards"]:
            assert hashlib.sha256((root / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_finish_waits_for_every_shard(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "o", spec())
    writer.prepare()
    writer.write(1, shard(1))
    assert writer.missing() == [0, 2] and writer.missing([1, 2]) == [2]
    assert not writer.finish() and not (tmp_path / "o" / "README.md").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.dataset.rows import shard
from tests.dataset.test_writer import spec
from fpsynth.dataset import DatasetWriter

def rows(index):
    for n, row in enumerate(shard(index, identities=3, impressions=2)):
        if index == 1 and n == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        yield row

writer = DatasetWriter(Path(sys.argv[1]), spec(sys.argv[2]))
writer.prepare()
for index in writer.missing():
    writer.write(index, rows(index))
"""


@pytest.mark.parametrize("form", FORMATS)
def test_kill_in_the_middle_leaves_no_broken_shard(made, form: str, tmp_path: Path) -> None:
    root = tmp_path / "o"
    run = subprocess.run([sys.executable, "-c", KILLED, str(root), form], cwd=Path(__file__).parents[2], check=False)
    assert run.returncode == -signal.SIGKILL
    writer = DatasetWriter(root, spec(form))
    assert writer.missing() == [1, 2]
    build(root, form)
    assert tree(root) == tree(made[form])


def test_an_error_in_the_rows_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Row]:
        yield row(0, 0)
        raise RuntimeError("stop")

    writer = DatasetWriter(tmp_path / "o", spec(sidecars=()))
    writer.prepare()
    with pytest.raises(RuntimeError):
        writer.write(0, broken())
    assert sorted(p.name for p in (tmp_path / "o").rglob("*") if p.is_file()) == ["manifest.json"]


def test_another_recipe_is_refused_and_named(made) -> None:
    before = tree(made["parquet"])
    for other, name in [
        (spec(recipe="def"), "recipe"),
        (spec(batch=8), "batch"),
        (spec(sidecars=("xyt",)), "sidecars"),
        (spec("png"), "format"),
    ]:
        with pytest.raises(UserError, match=name):
            DatasetWriter(made["parquet"], other).prepare()
    assert tree(made["parquet"]) == before


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="not empty"):
            DatasetWriter(tmp_path, spec()).prepare(overwrite)
    with pytest.raises(UserError, match="is a file"):
        DatasetWriter(tmp_path / "thesis.txt", spec()).prepare()
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("form", FORMATS)
def test_overwrite_removes_the_old_dataset_and_nothing_else(form: str, tmp_path: Path) -> None:
    root = tmp_path / "o"
    build(root, form)
    mine = ["notes.txt", "data/mine.parquet", "train/holiday.png", "train/000001/notes.txt", "data/.mine.partial"]
    for name in mine:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("keep")
    (root / "data" / ".train-00000-of-00002.parquet.0123456789ab.partial").write_text("ours")
    DatasetWriter(root, spec("parquet")).prepare(overwrite=True)
    assert sorted(tree(root)) == sorted(["manifest.json", *mine])
    assert not (root / "test").exists() and not (root / "minutiae").exists()


def test_overwrite_reaches_shards_behind_a_link(tmp_path: Path) -> None:
    root, disk = tmp_path / "o", tmp_path / "large disk"
    DatasetWriter(root, spec()).prepare()
    disk.mkdir()
    (root / "data").symlink_to(disk)
    build(root, "parquet")
    assert len(list(disk.iterdir())) == 3 and len(open_source(root, manifest.read(root)).units) == 3
    DatasetWriter(root, spec()).prepare(overwrite=True)
    assert not list(disk.iterdir()) and (root / "data").is_symlink()


def test_overwrite_believes_no_manifest_that_points_outside(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    root = tmp_path / "o"
    DatasetWriter(root, spec()).prepare()
    content = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").write_text(json.dumps({**content, "splits": {"..": 1, "/": 1}}))
    DatasetWriter(root, spec()).prepare(overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


UNLISTED = ("README.md", "card.png", "manifest.json")


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.mark.parametrize("form", FORMATS)
def test_verify_finds_every_flipped_bit(made, form: str, tmp_path: Path) -> None:
    rng, root = np.random.default_rng(5), tmp_path / "o"
    shutil.copytree(made[form], root)
    assert list(damages(root)) == [None] * len(list(damages(root)))
    files = [path for path in root.rglob("*") if path.is_file() and path.name not in UNLISTED]
    for path in rng.choice(np.array(files, dtype=object), 20):
        before = path.read_bytes()
        flip(path, int(rng.integers(1 << 30)))
        assert any(damages(root)), path
        path.write_bytes(before)
    assert not any(damages(root))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("closed", [True, False])
def test_a_run_that_verifies_makes_anew_what_changed(made, form: str, closed: bool, tmp_path: Path) -> None:
    root, writer = tmp_path / "o", DatasetWriter(tmp_path / "o", spec(form))
    writer.prepare()
    for index in writer.missing():
        writer.write(index, shard(index))
    assert not closed or writer.finish()
    flip(next(root.rglob("*.fmr" if form != "webdataset" else "*.tar")), 4001)
    DatasetWriter(root, spec(form)).prepare()
    if form != "webdataset" or closed:
        assert not DatasetWriter(root, spec(form)).missing()
    DatasetWriter(root, spec(form)).prepare(verify=True)
    assert DatasetWriter(root, spec(form)).missing()
    build(root, form)
    assert tree(root) == tree(made[form])


def as_long(index: int) -> Iterator[Row]:
    """The rows of a shard with the same images, that say something else in as many bytes."""
    return (replace(row, subject=row.subject + 1) for row in shard(index))


def longer(index: int) -> Iterator[Row]:
    return (replace(row, prompt=row.prompt * 500) for row in shard(index))


def listed(root: Path) -> list[str]:
    return [record.file for record in manifest.shard_records(manifest.read(root) or {})]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("rows", [as_long, longer])
@pytest.mark.parametrize("verify", [True, False])
def test_a_shard_that_was_changed_is_made_again_and_never_signed(
    made, form: str, rows: Callable[[int], Iterator[Row]], verify: bool, tmp_path: Path
) -> None:
    root, other = Path(shutil.copytree(made[form], tmp_path / "o")), tmp_path / "other"
    build(other, form, rows)
    victim = listed(root)[0]
    shutil.copy(other / victim, root / victim)
    assert DatasetWriter(root, spec(form)).any_missing() == (rows is longer)
    build(root, form, verify=verify)
    if verify or rows is longer:
        assert tree(root) == tree(made[form])
    else:
        assert any(damages(root)), "not looked for, and not signed either"


@pytest.mark.parametrize("form", ["parquet", "webdataset"])
def test_a_changed_shard_is_not_signed_where_another_is_lost(made, form: str, tmp_path: Path) -> None:
    root, other = Path(shutil.copytree(made[form], tmp_path / "o")), tmp_path / "other"
    build(other, form, as_long)
    lost, victim, _ = listed(root)
    (root / lost).unlink()
    shutil.copy(other / victim, root / victim)
    writer = DatasetWriter(root, spec(form))
    writer.prepare()
    told = manifest.read(root)
    assert writer.missing() == [0, 1] and told and not told["complete"]
    build(root, form)
    assert tree(root) == tree(made[form])


def test_a_shard_made_anew_in_other_bytes_is_signed_as_it_is(made, tmp_path: Path) -> None:
    """As on another processor, whose pixels may differ by a grey level, in as many bytes."""
    root = Path(shutil.copytree(made["webdataset"], tmp_path / "o"))
    (root / listed(root)[0]).unlink()
    build(root, "webdataset", as_long)
    assert not any(damages(root))


def test_no_file_goes_because_a_manifest_names_it(made, tmp_path: Path) -> None:
    root, thesis = Path(shutil.copytree(made["parquet"], tmp_path / "o")), tmp_path / "thesis.txt"
    thesis.write_text("years of work")
    (root / "manifest.json").write_text((root / "manifest.json").read_text().replace(listed(root)[0], "../thesis.txt"))
    build(root, "parquet", verify=True)
    assert thesis.exists() and tree(root) == tree(made["parquet"])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("lost", ["README.md", "card.png"])
def test_a_lost_card_alone_is_written_again(made, form: str, lost: str, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made[form], tmp_path / "o"))
    (root / lost).unlink()
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.*") if path.name not in ("README.md", "card.png")}
    writer = DatasetWriter(root, spec(form))
    assert not writer.any_missing()
    writer.prepare()
    assert writer.missing() == [] and writer.finish()
    assert tree(root) == tree(made[form])
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_verify_wants_a_finished_dataset(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no dataset"):
        list(damages(tmp_path))
    DatasetWriter(tmp_path / "o", spec()).prepare()
    with pytest.raises(UserError, match="is not finished"):
        list(damages(tmp_path / "o"))


@pytest.mark.parametrize("form", FORMATS)
def test_a_stored_row_is_the_row_again(made, form: str) -> None:
    root = made[form]
    told = manifest.read(root)
    layout = open_format(form, root)
    stored = [one for record in manifest.shard_records(told) for one in layout.rows(root / record.file)]
    again = {one.facts["id"]: row_of(one) for one in stored}
    for wanted in [row(i, k) for i in range(9) for k in range(2)]:
        got = again[wanted.id]
        assert np.array_equal(got.image, wanted.image) and facts(got, png(got)) == facts(wanted, png(wanted))


def test_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="not a readable manifest"):
        DatasetWriter(tmp_path, spec()).prepare()


@pytest.mark.parametrize("split", ["../train", "a/b", "", ".", "data", "tr-ain"])
def test_no_split_leaves_the_folder(split: str) -> None:
    with pytest.raises(UserError, match="split"):
        DatasetSpec(name="t", splits={split: 1})


HOLDER = """
import sys, time
from pathlib import Path
from fpsynth.files import alone
with alone(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_run(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds tmp_path / "out", whole or as a part."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "out"), getattr(request, "param", LOCK)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_writer_is_refused_by_name(tmp_path: Path, other_run: subprocess.Popen[str]) -> None:
    writer = DatasetWriter(tmp_path / "out", spec())
    with pytest.raises(UserError, match=r"out: another run is at work there"), writer.alone():
        pass
    assert [path.name for path in (tmp_path / "out").iterdir()] == [LOCK]


PART_2 = ".fpsynth-2-of-2.lock"


@pytest.mark.parametrize(
    ("other_run", "part", "refused"),
    [
        (LOCK, None, True),
        (LOCK, Part(1, 2), True),
        (PART_2, None, True),
        (PART_2, Part(2, 2), True),
        (PART_2, Part(1, 2), False),
    ],
    indirect=["other_run"],
)
def test_whole_runs_and_parts_exclude_each_other(
    tmp_path: Path, other_run: subprocess.Popen[str], part: Part | None, refused: bool
) -> None:
    writer = DatasetWriter(tmp_path / "out", spec())
    expected = pytest.raises(Busy, match=r"^.*out: another run is at work there.*$") if refused else nullcontext()
    with expected, writer.alone(part):
        writer.prepare()
    assert (tmp_path / "out" / "manifest.json").exists() != refused
    other_run.kill()
    other_run.wait()
    with writer.alone(part):
        writer.prepare()
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"manifest.json"} | (set() if refused else {PART_2})


def test_of_parts_that_end_together_one_closes_and_another_may_begin(tmp_path: Path) -> None:
    first, second, third = (DatasetWriter(tmp_path / "out", spec()) for _ in range(3))
    with first.alone(Part(1, 3)), second.alone(Part(2, 3)):
        first.prepare()
        for index in first.missing():
            first.write(index, shard(index))
        with first.alone():
            with pytest.raises(Busy), second.alone():
                pass
            with third.alone(Part(3, 3)):
                assert first.finish()
    with first.alone():
        assert LOCK in tree(tmp_path / "out"), "it holds the folder whole again"


def test_the_lock_of_a_killed_writer_is_no_hindrance(tmp_path: Path, other_run: subprocess.Popen[str]) -> None:
    other_run.kill()
    other_run.wait()
    writer = DatasetWriter(tmp_path / "out", spec())
    with writer.alone():
        writer.prepare()
        for index in writer.missing():
            writer.write(index, shard(index))
        writer.finish()
    assert LOCK not in tree(tmp_path / "out")


def test_a_folder_of_somebody_elses_gets_no_lock(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no dataset"), DatasetWriter(tmp_path, spec()).alone():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
