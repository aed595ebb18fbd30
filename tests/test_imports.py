"""--help and --dry-run load none of the heavy libraries; what the program needs is there without its extras."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

RECIPE = str(Path(__file__).parents[1] / "recipes" / "quickstart.yaml")
HEAVY = ("torch", "diffusers", "transformers", "cv2", "pyarrow", "datasets", "skimage", "scipy", "ray")
SCRIPT = f"""
import sys
from fpsynth.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", [name for name in {HEAVY!r} if name in sys.modules])
"""


EXTRAS = ("ray", "s3fs", "wsq", "nbis", "matplotlib", "torchmetrics")
"""What the optional dependencies of pyproject.toml bring."""
WITHOUT = f"""
import sys
sys.modules |= dict.fromkeys({EXTRAS!r})
import fpsynth.training.run
from fpsynth.diffusion.model import load_model
from fpsynth.model_folder import default_model
load_model(default_model(), student="default")
"""


@pytest.mark.parametrize(
    "command", [["--help"], ["generate", "--help"], ["train", "--help"], ["generate", RECIPE, "--dry-run"]]
)
def test_nothing_heavy_is_loaded(command):
    done = subprocess.run([sys.executable, "-c", SCRIPT, *command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_the_bundled_student_and_training_need_no_extra():
    subprocess.run([sys.executable, "-c", WITHOUT], check=True)
    packages = {need.split("=")[0].split(">")[0] for need in _needed()}
    assert {"peft", "accelerate", "diffusers"} <= packages


def _needed() -> list[str]:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed: list[str] = project["dependencies"]
    return needed
