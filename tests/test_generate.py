"""The main job, end to end on virtual renders: the same recipe is the same bytes, whatever happened on the way."""

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fpsynth.console import Console
from fpsynth.dataset.spec import Part
from fpsynth.errors import UserError
from fpsynth.extractor import mindtct
from fpsynth.files import Busy, alone
from fpsynth.flow import Order, generate
from fpsynth.work import single_thread

RECIPE = """\
name: tiny
seed: 5
identities: 3
impressions: 2
image: {width: 128, height: 128}
prompt:
  sensor: {optical: 0.5, ink: 0.5}
sampling: {model: virtual}
gate: off
output: {shard_images: 2, minutiae: [iso19794-2, xyt]}
splits: {train: 0.67, test: 0.33}
"""
PROGRAM = Path(sys.executable).with_name("fpsynth")
LABELS = ["id", "identity", "impression", "pattern", "sensor", "minutiae", "parameters", "seed"]


def write(folder: Path, text: str = RECIPE) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def make(folder: Path, name: str, *overrides: str, **options) -> Path:
    generate(Order(recipe=folder / "recipe.yaml", overrides=overrides, out=folder / name, **options), Console("quiet"))
    return folder / name


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def shards(root: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in (root / "data").glob("*.parquet")}


def table(root: Path) -> dict[tuple[int, int], dict]:
    rows = [
        row for path in sorted((root / "data").glob("*.parquet")) for row in pq.ParquetFile(path).read().to_pylist()
    ]
    return {(row["identity"], row["impression"]): row for row in rows}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Here and in every process that a test starts: sums of other numbers of threads differ in their last bits."""
    with pytest.MonkeyPatch.context() as patch, single_thread():
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A finished dataset; tests only read it."""
    folder = tmp_path_factory.mktemp("made")
    write(folder)
    return make(folder, "out")


def test_all_rows_are_there_with_their_truth(made):
    rows = table(made)
    assert sorted(rows) == [(i, k) for i in range(3) for k in range(2)]
    for row in rows.values():
        assert row["image"]["bytes"].startswith(b"\x89PNG")
        assert (row["width"], row["height"], row["ppi"]) == (128, 128, 500)
        assert all(0 <= m["x"] < 128 and 0 <= m["y"] < 128 for m in row["minutiae"])
    assert any(row["minutiae"] for row in rows.values())


def test_the_same_recipe_twice_is_the_same_bytes(made, tmp_path):
    write(tmp_path)
    assert digests(make(tmp_path, "again")) == digests(made)


def test_the_same_command_again_changes_nothing(made):
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.parquet")}
    assert generate(Order(recipe=made.parent / "recipe.yaml", overrides=(), out=made), Console("quiet"))
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*.parquet")} == before


def test_more_identities_leave_the_first_ones_unchanged(made, tmp_path):
    write(tmp_path)
    more = make(tmp_path, "more", "identities=4")
    assert {**table(more), **table(made)} == table(more)
    assert shards(made) < shards(more)


def test_one_identity_alone_is_the_same_whatever_its_shard(made, tmp_path):
    write(tmp_path)
    other = table(make(tmp_path, "other", "output.shard_images=1", "splits=train"))
    assert other == table(made)


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
@pytest.mark.parametrize("kept", [None, 0, 1000], ids=["lost", "emptied", "cut"])
def test_a_damaged_shard_is_made_again_in_the_same_bytes(made, tmp_path, kept, finished):
    write(tmp_path)
    out = Path(shutil.copytree(made, tmp_path / "out"))
    victim = next((out / "data").glob("test-*.parquet"))
    if kept is None:
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:kept])
    if not finished:
        told = json.loads((out / "manifest.json").read_text())
        (out / "manifest.json").write_text(json.dumps({**told, "complete": False, "shards": []}))
    make(tmp_path, "out")
    assert digests(out) == digests(made)


def test_a_run_that_died_before_its_manifest_is_taken_up(made, tmp_path):
    write(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".manifest.json.0123456789ab.partial").write_text("{")
    assert digests(make(tmp_path, "out")) == digests(made)


def test_a_partial_file_of_somebody_else_stays(made, tmp_path):
    write(tmp_path)
    out = Path(shutil.copytree(made, tmp_path / "out"))
    for name in (".mine.partial", ".card.md.0123456789ab.partial"):
        (out / "data" / name).write_text("half")
    make(tmp_path, "out")
    assert [path.name for path in out.rglob(".*.partial")] == [".mine.partial"]


def test_killed_and_run_again_is_the_same_bytes(made, tmp_path):
    out = tmp_path / "out"
    command = [PROGRAM, "generate", write(tmp_path), "-o", out]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first_piece(run, out)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not json.loads((out / "manifest.json").read_text())["complete"]
    subprocess.run(command, check=True, capture_output=True)
    assert digests(out) == digests(made)


@pytest.mark.parametrize("kind", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_interrupted_leaves_only_whole_files(made, tmp_path, kind):
    out = tmp_path / "out"
    command = [PROGRAM, "generate", write(tmp_path), "-o", out]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs are deaf to it
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    first_piece(run, out)
    run.send_signal(kind)
    _, err = run.communicate()
    assert run.returncode == 130
    assert err.splitlines()[-1] == "interrupted; the same command again goes on from here"
    finished = digests(made)
    left = digests(out)
    assert {name for name in left if name != "manifest.json"} < set(finished)
    assert all(digest == finished[name] for name, digest in left.items() if name != "manifest.json")


def first_piece(run: subprocess.Popen, out: Path) -> None:
    """Wait until the run has finished a shard and is busy with the next."""
    for _ in range(1200):
        if any((out / "data").glob("*.parquet")) or run.poll() is not None:
            break
        time.sleep(0.05)
    assert run.poll() is None, "the run ended before it could be stopped"


def test_a_folder_of_another_recipe_is_refused_and_left_alone(made, tmp_path):
    write(tmp_path)
    before = digests(made)
    with pytest.raises(UserError, match="holds another dataset"):
        generate(Order(recipe=tmp_path / "recipe.yaml", overrides=("seed=6",), out=made), Console("quiet"))
    assert digests(made) == before


def test_without_nists_tools_our_own_extractor_judges_and_all_say_so(tmp_path, monkeypatch, capsys):
    write(tmp_path, RECIPE.replace("gate: off", "gate: {retries: 0}").replace("width: 128, height: 128", "width: 256"))
    monkeypatch.setattr(mindtct, "missing", lambda: "libopencv_core.so.406: cannot open")
    order = Order(recipe=tmp_path / "recipe.yaml", overrides=(), out=tmp_path / "out")
    generate(order, Console())
    (notice,) = [line for line in capsys.readouterr().err.splitlines() if "libopencv_core.so.406" in line]
    assert "own extractor" in notice
    gates = [row["gate"] for row in table(tmp_path / "out").values()]
    assert {gate["extractor"] for gate in gates} == {"skeleton"} and all(gate["verdict"] in (0, 1) for gate in gates)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["provenance"]["gate"] == "skeleton"
    monkeypatch.setattr(mindtct, "missing", lambda: None)
    with pytest.raises(UserError, match="holds another dataset"):
        generate(order, Console("quiet"))


def test_a_folder_of_other_things_is_refused_and_left_alone(tmp_path):
    write(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diary.txt").write_text("dear diary")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="not empty"):
            make(tmp_path, "out", overwrite=overwrite)
    assert os.listdir(tmp_path / "out") == ["diary.txt"]


def test_overwrite_replaces_a_dataset(tmp_path):
    write(tmp_path)
    one = ("identities=1", "impressions=1", "splits=train")
    old = digests(make(tmp_path, "out", *one))
    new = digests(make(tmp_path, "out", *one, "seed=6", overwrite=True))
    assert new.keys() == old.keys()
    assert new["data/train-00000-of-00001.parquet"] != old["data/train-00000-of-00001.parquet"]


def test_png_format_holds_the_same_rows(made, tmp_path):
    write(tmp_path)
    out = make(tmp_path, "png", "output.format=png")
    rows = {}
    for path in out.glob("*/metadata.parquet"):
        for row in pq.ParquetFile(path).read().to_pylist():
            image = (path.parent / row.pop("file_name")).read_bytes()
            rows[row["identity"], row["impression"]] = {**row, "image": image}
    for key, row in table(made).items():
        assert rows[key]["image"] == row["image"]["bytes"]
        assert {name: rows[key][name] for name in LABELS} == {name: row[name] for name in LABELS}
    assert (out / "train").is_dir() and len(list(out.rglob("*.fmr"))) == len(list(out.rglob("*.xyt"))) == 6


def test_json_result_counts_what_was_made(made, capsys):
    generate(Order(recipe=made.parent / "recipe.yaml", overrides=(), out=made), Console("json"))
    facts = json.loads(capsys.readouterr().out)
    assert (facts["images"], facts["made"], facts["gate"]) == (6, 0, {"unjudged": 6})


@pytest.mark.slow
def test_two_processes_make_the_same_bytes(made, tmp_path):
    write(tmp_path)
    assert digests(make(tmp_path, "out", workers=2)) == digests(made)


def test_parts_make_the_same_bytes_and_the_last_one_closes(made, tmp_path, capsys):
    write(tmp_path)
    for number in (2, 1):
        order = Order(recipe=tmp_path / "recipe.yaml", out=tmp_path / "out", part=Part(number, 2))
        generate(order, Console("json"))
        facts = json.loads(capsys.readouterr().out)
        assert (tmp_path / "out" / "README.md").exists() == (number == 1) == (facts["missing_shards"] == 0)
    assert digests(tmp_path / "out") == digests(made)


def test_two_runs_of_the_same_part_exclude_each_other_and_other_parts_do_not(tmp_path):
    write(tmp_path)
    with alone(tmp_path / "out", ".fpsynth-1-of-2.lock"):
        with pytest.raises(Busy):
            make(tmp_path, "out", part=Part(1, 2))
        make(tmp_path, "out", part=Part(2, 2))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc")
def test_a_killed_worker_is_replaced(made, tmp_path):
    write(tmp_path)
    command = [sys.executable, "-m", "fpsynth", "generate", "recipe.yaml", "-o", "out", "--workers", "2", "-q"]
    with subprocess.Popen(command, cwd=tmp_path) as run:
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        while run.poll() is None and not any((tmp_path / "out").rglob("*.parquet")):
            time.sleep(0.05)
        for child in children.read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
                break
        else:
            pytest.fail("no worker to kill")
    assert run.returncode == 0
    assert digests(tmp_path / "out") == digests(made)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra 'ray' is not installed")
def test_two_ray_workers_make_the_same_bytes(made, tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    order = Order(recipe=Path("recipe.yaml"), overrides=(), out=Path("out"), workers=2, address="local")
    generate(order, Console("quiet"))
    assert digests(tmp_path / "out") == digests(made)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra 'ray' is not installed")
def test_ray_workers_stop_when_they_are_interrupted(made, tmp_path):
    out = tmp_path / "out"
    command = [PROGRAM, "generate", write(tmp_path), "-o", out]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    told = [*command, "--workers", "2", "--address", "local"]
    run = subprocess.Popen(told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    first_piece(run, out)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 130 and said.splitlines()[-1].startswith("interrupted")
    subprocess.run(command, check=True, capture_output=True)
    assert digests(out) == digests(made)
