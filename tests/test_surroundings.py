"""Where a command may find itself: paths that are no text, a plain locale, streams that are closed, full or left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RECIPE = """\
identities: 2
impressions: 1
image: {width: 128, height: 128}
sampling: {model: virtual}
gate: off
"""
PROGRAM = [sys.executable, "-m", "fpsynth"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere refuse such names themselves")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess:
    """`fpsynth` in the command stands for the program."""
    words = command.replace("fpsynth", f"{sys.executable} -m fpsynth")
    return subprocess.run(
        ["bash", "-c", words],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        env=os.environ | {"PYTHONUNBUFFERED": ""} | environment,
    )


def test_a_path_that_is_no_text_is_refused_before_any_work(folder):
    out = os.fsdecode(b"caf\xe9")
    made = subprocess.run([*PROGRAM, "generate", "recipe.yaml", "-o", out], cwd=folder, capture_output=True, text=True)
    assert (made.returncode, made.stdout) == (2, "")
    assert made.stderr == "caf\ufffd: this name is no valid UTF-8; choose another one\n"
    assert os.listdir(folder) == ["recipe.yaml"]


def test_files_whose_names_are_no_text_are_looked_at(folder):
    scans = folder / "scans"
    scans.mkdir()
    grey = np.random.default_rng(0).integers(0, 256, (3, 96, 96), np.uint8)
    for number, image in enumerate(grey):
        Image.fromarray(image).save(scans / os.fsdecode(b"caf\xe9_%d.png" % number))
    options = ["--no-judges", "--json", "--sheet", "sheet.png", "--html", "report.html"]
    seen = subprocess.run([*PROGRAM, "inspect", "scans", *options], cwd=folder, capture_output=True, text=True)
    assert seen.returncode == 0, seen.stderr
    assert json.loads(seen.stdout)["images"] == 3
    assert (folder / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_any_name_under_a_plain_locale(folder):
    run = shell(
        folder, "fpsynth generate recipe.yaml -o 'отпечатки' && fpsynth inspect 'отпечатки' --no-judges", LC_ALL="C"
    )
    assert run.returncode == 0, run.stderr
    assert (folder / "отпечатки" / "manifest.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("to", ["2>/dev/full", "2>&-", ">&- 2>&-"])
def test_nobody_to_tell_is_no_reason_to_stop(folder, to):
    assert shell(folder, f"fpsynth generate recipe.yaml -o out {to}").returncode == 0
    assert (folder / "out" / "README.md").exists()


def test_a_mistake_has_its_exit_code_although_nobody_hears_of_it(folder):
    assert shell(folder, "fpsynth generate missing.yaml 2>&-").returncode == 2


@pytest.mark.slow
def test_a_reader_that_goes_away_has_read_enough(folder):
    run = shell(folder, "fpsynth generate recipe.yaml -o out | true; exit ${PIPESTATUS[0]}")
    assert (run.returncode, "Traceback" in run.stderr, "mistake" in run.stderr) == (0, False, False), run.stderr


@pytest.mark.slow
def test_a_result_that_cannot_be_written_is_said(folder):
    run = shell(folder, "fpsynth generate recipe.yaml -o out --json >/dev/full")
    assert run.returncode == 1
    assert "no space left" in run.stderr and "mistake" not in run.stderr
