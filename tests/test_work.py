"""The work: every piece once, results as they come, and a clear word where Ray is wanted and not there."""

import importlib.util
import sys

import pytest

from fpsynth import work
from fpsynth.errors import UserError


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
    with pytest.raises(UserError, match=r"--workers needs Ray: pip install 'fpsynth\[ray\]'"):
        list(work.run_on_ray(Squares, {}, [1], print, workers=2))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra 'ray' is not installed")
def test_ray_actors_do_every_piece_once_and_pass_errors_on():
    units: list[int] = []
    assert sorted(work.run_on_ray(Squares, {}, [3, 1, 2, 5], units.append, workers=2)) == [
        (1, 1),
        (2, 4),
        (3, 9),
        (5, 25),
    ]
    assert sum(units) == 11
    with pytest.raises(UserError, match="task 2 is bad"):
        list(work.run_on_ray(Squares, {"bad": 2}, [1, 2, 3], print, workers=2))
