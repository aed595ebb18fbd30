"""The work: every piece once, results as they come, whoever dies; a clear word where Ray is wanted and not there."""

import os
import signal
import sys
from pathlib import Path

import pytest

from fpsynth import work
from fpsynth.errors import Unfinished, UserError


class Squares:
    """A worker that squares its task, in as many units as the task says."""

    def __init__(self, job: dict) -> None:
        job["built"] = job.get("built", 0) + 1
        self.job = job

    def __call__(self, task: int, tick: work.Tick) -> int:
        if task == self.job.get("bad"):
            raise UserError(f"task {task} is bad")
        for _ in range(task):
            tick(1)
        return task * task


def test_pieces_run_here_one_after_the_other_on_one_worker():
    job, units = {}, []
    assert list(work.run_here(Squares(job), [3, 1, 2], units.append)) == [(3, 9), (1, 1), (2, 4)]
    assert (job["built"], sum(units)) == (1, 6)


def test_no_pieces_need_no_worker():
    job = {}
    assert list(work.run_on_ray(Squares, job, [], print, workers=4)) == []
    assert job == {}


def test_what_a_worker_raises_comes_through():
    with pytest.raises(UserError, match="task 2 is bad"):
        list(work.run_here(Squares({"bad": 2}), [1, 2, 3], lambda n: None))


def test_without_ray_the_way_to_get_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"--address needs Ray: pip install 'fpsynth\[ray\]'"):
        list(work.run_on_ray(Squares, {}, [1], print, workers=2))


class Mortal(Squares):
    """Dies of some pieces: job["dies"] maps a piece to the times that it kills, which are noted in a folder."""

    def __call__(self, task: int, tick: work.Tick) -> int:
        tick(1)
        folder, times = Path(self.job["folder"]), self.job["dies"].get(task, 0)
        if (seen := len(list(folder.glob(f"{task}.*")))) < times:
            (folder / f"{task}.{seen}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if task in self.job.get("raises", ()):
            raise ZeroDivisionError("by zero")
        return task * task


def test_processes_do_every_piece_once_whoever_dies(tmp_path):
    units: list[int] = []
    job = {"folder": str(tmp_path), "dies": {2: 1, 5: 2}}
    done = sorted(work.run_on_processes(Mortal, job, [3, 1, 2, 5], units.append, workers=2))
    assert done == [(1, 1), (2, 4), (3, 9), (5, 25)]
    assert sum(units) == 4 and len(list(tmp_path.iterdir())) == 3


def test_a_piece_that_fails_three_times_is_named_and_the_others_go_on(tmp_path):
    units: list[int] = []
    job = {"folder": str(tmp_path), "dies": {2: 99}, "raises": [4]}
    found = []
    with pytest.raises(Unfinished) as lost:
        for piece in work.run_on_processes(Mortal, job, [2, 4, 3, 1], units.append, workers=2):
            found.append(piece)
    assert sorted(found) == [(1, 1), (3, 9)] and sum(units) == 2
    assert lost.value.reasons == {2: "its process ended with -9", 4: "ZeroDivisionError: by zero"}


def test_a_mistake_of_the_user_ends_the_work_in_processes():
    with pytest.raises(UserError, match="task 2 is bad"):
        list(work.run_on_processes(Squares, {"bad": 2}, [1, 2, 3], lambda n: None, workers=2))


@pytest.fixture
def cluster():
    ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    work.require_ray()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.slow
def test_ray_actors_do_every_piece_once_whoever_dies(cluster, tmp_path):
    units: list[int] = []
    job = {"folder": str(tmp_path), "dies": {2: 1, 5: 2}}
    done = sorted(work.run_on_ray(Mortal, job, [3, 1, 2, 5], units.append, workers=2))
    assert done == [(1, 1), (2, 4), (3, 9), (5, 25)]
    assert sum(units) == 4 and len(list(tmp_path.iterdir())) == 3
    with pytest.raises(UserError, match="task 2 is bad"):
        list(work.run_on_ray(Squares, {"bad": 2}, [1, 2, 3], print, workers=2))
    job = {"folder": str(tmp_path), "dies": {7: 99}, "raises": [4]}
    found = []
    with pytest.raises(Unfinished) as lost:
        for piece in work.run_on_ray(Mortal, job, [7, 4, 3, 1], units.append, workers=2):
            found.append(piece)
    assert sorted(found) == [(1, 1), (3, 9)]
    assert lost.value.reasons == {7: "its worker died", 4: "ZeroDivisionError: by zero"}
