"""The command as a person runs it: exit codes, one line for a mistake, nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fpsynth import __version__, cli
from fpsynth.errors import Unfinished, UserError

RECIPE = """\
identities: 6
impressions: 2
image: {width: 128, height: 128}
sampling: {model: virtual}
splits: {train: 0.5, test: 0.5}
"""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs fpsynth in an empty folder with recipe.yaml; gives (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(RECIPE)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fpsynth", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


def test_version_and_help(command):
    assert command("--version") == (0, f"fpsynth {__version__}\n", "")
    code, out, _ = command("--help")
    assert code == 0
    assert all(name in out for name in ("generate", "inspect", "train", "distill"))


@pytest.mark.parametrize("name", ["generate", "preview", "inspect", "train", "distill"])
def test_every_command_shows_an_example(command, name):
    code, out, _ = command(name, "--help")
    assert code == 0
    assert f"fpsynth {name} " in out.split("Example", 1)[1]


def test_dry_run_prints_the_plan_and_writes_nothing(command):
    code, out, err = command("generate", "recipe.yaml", "--dry-run", "-o", "made")
    assert (code, err) == (0, "")
    assert "12" in out and "train" in out and "virtual sensors" in out
    assert os.listdir() == ["recipe.yaml"]


def test_dry_run_says_how_long_and_how_large_as_the_last_run_was(command, tmp_path_factory, monkeypatch):
    """A first run of 16 images; then twice as many, of half as many of each finger, are foretold and made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    many = ("--set", "impressions=4", "--set", "identities=4", "--set", "gate=off")
    assert "not known" in command("generate", "recipe.yaml", "-n", *many)[1]
    assert command("generate", "recipe.yaml", "-o", "first", "-q", *many)[0] == 0
    assert "as the last run of this kind took" in command("generate", "recipe.yaml", "-n", *many)[1]
    more = ("--set", "identities=16", "--set", "gate=off", "--json")
    foretold = json.loads(command("generate", "recipe.yaml", "-n", *more)[1])
    made = json.loads(command("generate", "recipe.yaml", "-o", "second", *more)[1])
    assert foretold["bytes"] == pytest.approx(made["bytes"], rel=0.3)
    assert foretold["seconds"] > 0


def test_dry_run_as_json_is_one_object(command):
    code, out, _ = command("generate", "recipe.yaml", "-n", "--json", "--set", "identities=10")
    facts = json.loads(out)
    assert code == 0
    assert (facts["identities"], facts["images"]) == (10, 20)
    assert sum(split["images"] for split in facts["splits"].values()) == 20


def test_quiet_says_only_the_result(command):
    assert command("generate", "recipe.yaml", "-n", "-q") == (0, "12\n", "")


def test_a_mistake_in_a_recipe_is_one_line_and_exit_code_2(command):
    Path("recipe.yaml").write_text(RECIPE + "gate: {recal: 0.5}\n")
    for extra in ([], ["--dry-run"]):
        code, out, err = command("generate", "recipe.yaml", "-o", "made", *extra)
        assert (code, out) == (2, "")
        assert err == "recipe.yaml:6:8: gate.recal: unknown key (did you mean recall?)\n"
    assert os.listdir() == ["recipe.yaml"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["generate", "none.yaml"], "none.yaml: no such file or directory"),
        (["generate", "recipe.yaml", "--set", "sede=3"], "--set sede=3: sede: unknown key (did you mean seed?)"),
        (["generate", "recipe.yaml", "--json", "--quiet"], "--json and --quiet exclude each other"),
        (["generate", "recipe.yaml", "--workers", "0"], "be greater than or equal to 1"),
        (["generate", "recipe.yaml", "--part", "3/2"], "--part 3/2: I/N is needed"),
        (["generate", "recipe.yaml", "--part", "1/2", "--overwrite"], "--part and --overwrite exclude each other"),
        (["generate", "recipe.yaml", "--wokers", "3"], "No such option: --wokers"),
        (["generat", "recipe.yaml"], "Did you mean"),
        (["generate"], "Missing argument"),
    ],
)
def test_wrong_usage_is_exit_code_2(command, arguments, told):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert told in " ".join(err.split())
    assert os.listdir() == ["recipe.yaml"]


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UserError("x.yaml:1:1: wrong"), 2, "x.yaml:1:1: wrong\n"),
        (KeyboardInterrupt(), 130, "interrupted; the same command again goes on from here\n"),
        (OSError(28, "No space left on device", "out"), 1, "out: no space left on device\n"),
        (Unfinished({"train-00003-of-00008": "out of memory"}), 3, "train-00003-of-00008: out of memory: failed again"),
        (ZeroDivisionError("by zero"), 1, "fpsynth failed: ZeroDivisionError: by zero (test_cli.py:"),
    ],
)
def test_what_goes_wrong_inside_has_its_exit_code(command, monkeypatch, error, code, told):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.delenv("FPSYNTH_DEBUG", raising=False)
    monkeypatch.setattr("fpsynth.flow.show_plan", fail)
    found, out, err = command("generate", "recipe.yaml", "-n")
    assert (found, out) == (code, "")
    assert err.startswith(told)
    assert "Traceback" not in err


def test_short_of_the_gate_is_exit_code_3(command, monkeypatch):
    monkeypatch.setattr("fpsynth.flow.generate", lambda order, console: SimpleNamespace(passed=False))
    assert command("generate", "recipe.yaml")[0] == 3


def test_a_bug_shows_its_traceback_when_asked(command, monkeypatch):
    monkeypatch.setenv("FPSYNTH_DEBUG", "1")
    monkeypatch.setattr("fpsynth.flow.show_plan", lambda *_: 1 / 0)
    code, _, err = command("generate", "recipe.yaml", "-n")
    assert code == 1
    assert "Traceback" in err and "ZeroDivisionError" in err


def test_the_installed_command_ends_with_the_exit_code(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("virtual", "nowhere"))
    script = Path(sys.executable).with_name("fpsynth")
    done = subprocess.run(
        [script, "generate", "recipe.yaml", "-o", "made"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "recipe.yaml:4:19: sampling.model: no directory nowhere (or one of: default, virtual)\n"
    assert os.listdir(tmp_path) == ["recipe.yaml"]


def test_bundled_recipes_are_listed_used_by_name_and_copied(command):
    code, out, _ = command("recipes", "--json")
    told = json.loads(out)["recipes"]
    assert code == 0 and {"quickstart", "train/denoiser", "distill/phased"} <= told.keys()
    assert told["quickstart"].startswith("A small dataset to look at")
    code, out, _ = command("generate", "quickstart", "--dry-run", "-q")
    assert (code, out) == (0, "32\n")
    assert command("recipes", "quickstart", "-o", "mine.yaml", "-q") == (0, "mine.yaml\n", "")
    assert command("generate", "mine.yaml", "--dry-run", "-q")[1] == "32\n"
    assert command("recipes", "quickstart", "-o", "mine.yaml") == (2, "", "mine.yaml is there already\n")
    assert command("recipes", "quikstart") == (2, "", "no recipe quikstart (did you mean quickstart?)\n")


def test_a_recipe_for_training_is_told_from_one_for_a_dataset(command):
    code, _, err = command("generate", "train/denoiser")
    assert code == 2 and "this is a recipe for training: fpsynth train denoiser" in err
    assert "fpsynth distill" in command("generate", "distill/phased")[2]
