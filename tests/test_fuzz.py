"""A bounded share of tests/fuzz.py, in a process of its own: its memory is limited."""

import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and counted as on Linux")
def test_damaged_records_and_recipes_are_read_or_refused():
    command = [sys.executable, "-m", "tests.fuzz", "--records", "20000", "--recipes", "1000"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    records, recipes = run.stdout.splitlines()
    assert "refused" in records and "'read'" in records and "refused" in recipes, "both happen"
