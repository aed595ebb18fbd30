"""Where pieces of work run: here one after the other, in processes, or on Ray actors; not what they are."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from fpsynth.errors import UserError

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
J = TypeVar("J")
Tick = Callable[[int], None]


class Worker(Protocol[R_co]):
    """Does one piece of work; calls tick(n) whenever n more units of it are done."""

    def __call__(self, task: int, tick: Tick, /) -> R_co:
        """Do the piece and say what came of it."""


def run_here(worker: Worker[R], tasks: Sequence[int], tick: Tick) -> Iterator[tuple[int, R]]:
    """Yield (task, result) of one piece after the other, done in this process."""
    for task in tasks:
        yield task, worker(task, tick)


class Mapper(Protocol):
    """A map over pieces: results in the order of the pieces."""

    def __call__(self, do: Callable[[Any], Any], pieces: Sequence[Any], /) -> Iterator[Any]:
        """do(piece) of every piece."""


@contextmanager
def processes(count: int) -> Iterator[Mapper]:
    """A map over this many processes of one thread each; with one, the plain map in this process."""
    if count <= 1:
        yield map
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        yield pool.map


@contextmanager
def single_thread() -> Iterator[None]:
    """One thread of torch in this block, so that what it adds up is the same to the bit wherever it runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _one_thread() -> None:
    """The cores are taken by the other processes."""
    import cv2

    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # for torch, where it is loaded later
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def require_ray() -> Any:
    """The ray module. Raises UserError with the way to get it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    try:
        import ray
    except ImportError:
        raise UserError("--workers needs Ray: pip install 'fpsynth[ray]'") from None
    return ray


class _Actor:
    """A worker that lives on a Ray actor, and the units of work it did in its last piece."""

    def __init__(self, make: Callable[[Any], Worker[Any]], job: Any) -> None:
        self.worker = make(job)

    def do(self, task: int) -> tuple[int, Any, int]:
        """(task, result, units of work)."""
        units: list[int] = []
        result = self.worker(task, units.append)
        return task, result, sum(units)


def run_on_ray(
    make: Callable[[J], Worker[R]], job: J, tasks: Sequence[int], tick: Tick, workers: int, gpu: bool = False
) -> Iterator[tuple[int, R]]:
    """Yield (task, result) as pieces are finished, in any order, by workers that make(job) builds on Ray actors.

    They live here, or on the cluster of RAY_ADDRESS, and share the GPUs if gpu is set. Raises UserError when Ray is
    not installed; what a worker raises comes through.
    """
    if not tasks:
        return
    ray = require_ray()
    from ray.util import ActorPool

    started = _start(ray)
    try:
        count = min(workers, len(tasks))
        actor = ray.remote(**_share(ray.cluster_resources(), count, gpu), max_restarts=2, max_task_retries=2)(_Actor)
        pool = ActorPool([actor.remote(make, job) for _ in range(count)])
        for task, result, units in pool.map_unordered(lambda one, task: one.do.remote(task), tasks):
            tick(units)
            yield task, result
    except ray.exceptions.RayTaskError as error:
        raise (error.cause or error) from None
    finally:
        if started:
            ray.shutdown()


def _share(resources: Mapping[str, float], workers: int, gpu: bool) -> dict[str, float]:
    """What each worker may take, so that all of them start: whole CPUs where there are enough, a part of a GPU."""
    cpus = resources.get("CPU", 1.0) / workers
    gpus = min(1.0, resources.get("GPU", 0.0) / workers) if gpu else 0.0
    if gpu and not gpus:
        raise UserError("--workers on a GPU: Ray sees none here")
    return {"num_cpus": float(int(cpus)) if cpus >= 1 else _down(cpus), "num_gpus": _down(gpus)}


def _down(value: float) -> float:
    """Rounded down to Ray's four decimals."""
    return int(value * 10_000) / 10_000


def _start(ray: Any) -> bool:
    """Join the cluster of RAY_ADDRESS or start a small one here. True when it is ours to stop."""
    import logging

    if ray.is_initialized():
        return False
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    return True
