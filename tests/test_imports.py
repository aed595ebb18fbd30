"""What a person waits for without need: --help and --dry-run load none of the heavy libraries."""

import subprocess
import sys
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


@pytest.mark.parametrize(
    "command", [["--help"], ["generate", "--help"], ["train", "--help"], ["generate", RECIPE, "--dry-run"]]
)
def test_nothing_heavy_is_loaded(command):
    done = subprocess.run([sys.executable, "-c", SCRIPT, *command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"
