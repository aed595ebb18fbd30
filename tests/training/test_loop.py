"""The shared loop on a job small enough to know the answer of."""

import json
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

from fpsynth.errors import DamagedFile, UserError
from fpsynth.training.loop import Learner, LoopSettings, step_generator
from fpsynth.training.loop import fit as fit_job
from fpsynth.training.loop.checkpoint import load_checkpoint
from fpsynth.training.loop.place import Place
from tests.training.tiny import QUIET

ROOT = Path(__file__).parents[2]


def fit(job, loop, out):
    fit_job(job, loop, out, "cpu", QUIET)


class LineJob:
    """Learn y = 3 x - 2 with a weight and a bias; optionally die at a step."""

    def __init__(self, die_at=None, width=1):
        torch.manual_seed(0)
        self.net = nn.Conv2d(width, width, 1)
        self.die_at = die_at

    @property
    def learners(self):
        return (Learner(modules={"net": self.net}, loss=self.loss),)

    def loss(self, step, device, dtype):
        if step == self.die_at:
            raise KeyboardInterrupt
        x = torch.randn(32, self.net.in_channels, 1, 1, generator=step_generator(5, step)).to(device, dtype)
        loss = (self.net(x) - (3 * x - 2)).float().square().mean()
        return loss, {"half": float(loss.detach()) / 2}

    def grid(self):
        return torch.zeros(3, 1, 4, 4)


def settings(**changes):
    usual = {"steps": 300, "batch": 32, "learning_rate": 0.05, "warmup": 5, "precision": "fp32"}
    return LoopSettings(**usual | changes)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_learns_the_line(tmp_path, precision):
    job = LineJob()
    fit(job, settings(precision=precision, ema=0.9, weight_decay=0.0), tmp_path)
    assert job.net.weight.item() == pytest.approx(3, abs=0.03)
    assert job.net.bias.item() == pytest.approx(-2, abs=0.03)
    assert job.net.weight.dtype == torch.float32


def test_small_updates_reach_bf16_weights(tmp_path):
    """A step of 1e-4 is lost on a bfloat16 weight near 3; their float32 copies must add many of them up."""
    job = LineJob()
    with torch.no_grad():
        job.net.weight.fill_(2.0)
        job.net.bias.fill_(-2.0)
    fit(job, settings(precision="bf16", learning_rate=1e-3, final=1.0, warmup=0, ema=0.0), tmp_path)
    assert job.net.weight.item() > 2.2


def test_resume_gives_the_same_weights(tmp_path):
    whole = LineJob()
    fit(whole, settings(steps=40), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(LineJob(die_at=25), settings(steps=40, checkpoint_minutes=1e-9), tmp_path / "cut")
    again = LineJob()
    fit(again, settings(steps=40), tmp_path / "cut")
    assert torch.equal(whole.net.weight, again.net.weight)
    assert torch.equal(whole.net.bias, again.net.bias)


KILLED = """
from pathlib import Path
from tests.training.test_loop import LineJob, fit, settings
fit(LineJob(), settings(steps=800, checkpoint_minutes=1e-9, log_every=100), Path({out!r}))
"""


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path):
    """kill -9, at a moment that nobody chose, of a run that saves all the time."""
    out = tmp_path / "cut"
    child = subprocess.Popen([sys.executable, "-c", KILLED.format(out=str(out))], cwd=ROOT, stdout=subprocess.DEVNULL)
    while not (out / "checkpoint.safetensors").exists():
        assert child.poll() is None
        time.sleep(0.01)
    time.sleep(0.05)
    child.kill()
    child.wait()
    step = int(load_checkpoint(out / "checkpoint.safetensors")[1]["step"])
    assert 0 < step < 800
    again, whole = LineJob(), LineJob()
    fit(again, settings(steps=800), out)
    fit(whole, settings(steps=800), tmp_path / "whole")
    assert torch.equal(whole.net.weight, again.net.weight)


class HalfAccelerator:
    """What the loop asks of an Accelerator with mixed_precision fp16, which there is on CUDA alone."""

    device = torch.device("cpu")

    def __init__(self):
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=4)

    def autocast(self):
        return nullcontext()

    def prepare(self, optimizer):
        self.optimizer = optimizer
        return self

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    def backward(self, loss):
        self.scaler.scale(loss).backward()

    def clip_grad_norm_(self, parameters, most):
        self.scaler.unscale_(self.optimizer)
        return nn.utils.clip_grad_norm_(parameters, most)

    def step(self):
        self.scaler.step(self.optimizer)
        self.scaler.update()


def test_a_run_in_half_precision_resumes_to_the_same_weights(tmp_path, monkeypatch):
    """The first steps overflow and are skipped; the loss is scaled again as it was. The accelerator is a stand-in."""
    monkeypatch.setattr("fpsynth.training.loop.loop.choose_place", lambda *_: Place(HalfAccelerator(), torch.float32))
    whole, often = LineJob(), {"steps": 40, "precision": "fp16", "checkpoint_minutes": 1e-9}
    fit(whole, settings(**often), tmp_path / "whole")
    for die_at in (2, 25):  # while steps are still skipped, and after that
        with pytest.raises(KeyboardInterrupt):
            fit(LineJob(die_at=die_at), settings(**often), tmp_path / "cut")
    again = LineJob()
    fit(again, settings(**often), tmp_path / "cut")
    assert torch.equal(whole.net.weight, again.net.weight)
    (one, state), (two, same) = (load_checkpoint(tmp_path / o / "checkpoint.safetensors") for o in ("whole", "cut"))
    assert state == same and 0 < one["step/net.weight"] < 40 and one["step/net.weight"] == two["step/net.weight"]


def test_metrics_of_a_cut_run_are_not_doubled(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(LineJob(die_at=35), settings(steps=40, log_every=10), tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3')
    fit(LineJob(), settings(steps=40, log_every=10), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30, 40]
    assert lines[0]["half"] == pytest.approx(lines[0]["loss"] / 2, rel=1e-4)


def test_grids_and_final_weights_are_written(tmp_path):
    fit(LineJob(), settings(steps=4, grid_every=2), tmp_path)
    assert [p.name for p in sorted((tmp_path / "grids").iterdir())] == ["step-000002.png", "step-000004.png"]
    assert (tmp_path / "final" / "net.safetensors").exists()


def test_checkpoint_of_another_model_is_refused(tmp_path):
    fit(LineJob(), settings(steps=2), tmp_path)
    with pytest.raises(UserError, match="another model"):
        fit(LineJob(width=2), settings(steps=4), tmp_path)


def test_truncated_checkpoint_is_refused(tmp_path):
    fit(LineJob(), settings(steps=2), tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamagedFile, match=r"checkpoint\.safetensors"):
        load_checkpoint(path)


def test_fp16_on_the_cpu_is_refused(tmp_path):
    with pytest.raises(UserError, match="CUDA"):
        fit(LineJob(), settings(precision="fp16"), tmp_path)


def test_rate_warms_up_and_falls():
    loop = settings(steps=100, warmup=10, learning_rate=1.0, final=0.1)
    assert loop.rate(0) == pytest.approx(0.1)
    assert loop.rate(10) == pytest.approx(1.0)
    assert loop.rate(100) == pytest.approx(0.1)
    assert all(loop.rate(s) >= loop.rate(s + 1) for s in range(10, 100))
