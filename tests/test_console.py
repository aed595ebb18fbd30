"""Progress where there is no terminal: a line a piece, and now and then one in between."""

from types import SimpleNamespace

import pytest

from fpsynth.console import PATIENCE, Console, Progress

NOW = 1000.0
LONG = "step 50 " + " ".join(f"figure_{i} 0.1234" for i in range(12))


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    """The clock stands still."""
    monkeypatch.setattr("fpsynth.console.time", SimpleNamespace(monotonic=lambda: NOW))


def begun(ago: float, **counts) -> Progress:
    """Progress of 100 steps that began so many seconds ago and has told nothing since."""
    return Progress(100, "steps", Console(), start=NOW - ago, told=NOW - ago, **counts)


@pytest.mark.parametrize("name", ["step 50 loss 0.5", LONG])
def test_a_finished_piece_is_one_line_that_begins_with_its_name(capsys, name):
    begun(20, done=50).piece(name)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(name)
    assert line.isascii()
    assert line.endswith("| 50/100 [00:20<00:20,  2.50steps/s]")


def test_the_rate_of_a_resumed_run_leaves_out_what_was_there(capsys):
    begun(20, done=50, before=40).piece("step 50")
    assert capsys.readouterr().err.endswith("| 50/100 [00:20<01:40,  2.00s/steps]\n")


def test_in_between_it_speaks_when_patience_is_over(capsys):
    progress = begun(PATIENCE + 1)
    progress.tick()
    assert capsys.readouterr().err.startswith("at work: ")
    progress.tick()
    assert capsys.readouterr().err == ""


def test_a_quiet_console_is_told_nothing(capsys):
    with Console("quiet").progress(2, "images") as progress:
        progress.piece("one")
    assert capsys.readouterr().err == ""
