"""Pieces of work on Ray actors, each with a worker of its own."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fpsynth.errors import UserError
from fpsynth.work.local import Tick, Worker

R = TypeVar("R")
J = TypeVar("J")


def require_ray() -> Any:
    """The ray module. Raises UserError with the way to get it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    try:
        import ray
    except ImportError:
        raise UserError("--address needs Ray: pip install 'fpsynth[ray]'") from None
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
    make: Callable[[J], Worker[R]],
    job: J,
    tasks: Sequence[int],
    tick: Tick,
    workers: int,
    address: str = "local",
    gpu: bool = False,
) -> Iterator[tuple[int, R]]:
    """Yield (task, result) as pieces are finished, in any order, by workers that make(job) builds on Ray actors.

    They live on the cluster of this address, by default a new one on this machine, and share its GPUs if gpu is set.
    Raises UserError when Ray is not installed; what a worker raises comes through.
    """
    if not tasks:
        return
    ray = require_ray()
    from ray.util import ActorPool

    started = _start(ray, address)
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
        raise UserError("--address: Ray sees no GPU there")
    return {"num_cpus": float(int(cpus)) if cpus >= 1 else _down(cpus), "num_gpus": _down(gpus)}


def _down(value: float) -> float:
    """Rounded down to Ray's four decimals."""
    return int(value * 10_000) / 10_000


def _start(ray: Any, address: str) -> bool:
    """Join the cluster of this address or start a small one here. True when it is ours to leave."""
    import logging

    if ray.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        ray.init(address=address, **quiet, **({"include_dashboard": False} if address == "local" else {}))
    except (ConnectionError, ValueError) as error:
        raise UserError(f"--address {address}: no Ray cluster answers there ({str(error).splitlines()[0]})") from None
    return True
