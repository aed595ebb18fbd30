"""Where pieces of work run: here, one after the other, or on Ray actors. What a piece is, is none of its business."""

from collections.abc import Callable, Iterator, Sequence
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


def run(
    make: Callable[[J], Worker[R]], job: J, tasks: Sequence[int], tick: Tick, workers: int = 1, gpus: float = 0.0
) -> Iterator[tuple[int, R]]:
    """Yield (task, result) as pieces are finished, in any order. make(job) builds a worker where the work is done.

    With one worker the pieces run in this process, with more on as many Ray actors, each with gpus GPUs. Raises
    UserError when Ray is wanted and not installed; what a worker raises comes through.
    """
    if not tasks:
        return iter(())
    return _here(make, job, tasks, tick) if workers == 1 else _on_ray(make, job, tasks, tick, workers, gpus)


def _here(make: Callable[[J], Worker[R]], job: J, tasks: Sequence[int], tick: Tick) -> Iterator[tuple[int, R]]:
    worker = make(job)
    for task in tasks:
        yield task, worker(task, tick)


def require_ray() -> Any:
    """The ray module. Raises UserError with the way to get it."""
    import os

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


def _on_ray(
    make: Callable[[J], Worker[R]], job: J, tasks: Sequence[int], tick: Tick, workers: int, gpus: float
) -> Iterator[tuple[int, R]]:
    ray = require_ray()
    started = _start(ray)
    try:
        from ray.util import ActorPool

        cpus = max(1.0, ray.cluster_resources().get("CPU", 1.0) // workers)
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": 2, "max_task_retries": 2}
        actor = ray.remote(**options)(_Actor)
        pool = ActorPool([actor.remote(make, job) for _ in range(min(workers, len(tasks)))])
        for task, result, units in pool.map_unordered(lambda a, task: a.do.remote(task), tasks):
            tick(units)
            yield task, result
    except ray.exceptions.RayTaskError as error:
        raise (error.cause or error) from None
    finally:
        if started:
            ray.shutdown()


def _start(ray: Any) -> bool:
    """Join the cluster of RAY_ADDRESS or start a small one here. True when it is ours to stop."""
    import logging

    if ray.is_initialized():
        return False
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    return True
