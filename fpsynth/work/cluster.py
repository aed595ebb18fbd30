"""Pieces of work on Ray actors, each with a worker of its own."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fpsynth.errors import UserError
from fpsynth.work.local import Tick, Worker
from fpsynth.work.pieces import Pieces

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
    """A worker that lives on a Ray actor."""

    def __init__(self, make: Callable[[Any], Worker[Any]], job: Any) -> None:
        self._make, self._job = make, job
        self._worker: Worker[Any] | None = None

    def do(self, task: int) -> tuple[Any, int]:
        """The result, and how many units of work were done for it."""
        self._worker = self._worker or self._make(self._job)
        units: list[int] = []
        return self._worker(task, units.append), sum(units)


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

    They live on the cluster of this address, by default a new one on this machine, and share its GPUs if gpu is set. An
    actor that dies is replaced. Raises UserError when Ray is not installed; a UserError of a worker comes through.
    Raises Unfinished, when all else is done, for pieces that failed three times.
    """
    if not tasks:
        return
    ray = require_ray()
    started = _start(ray, address)
    try:
        count = min(workers, len(tasks))
        actor = ray.remote(**_share(ray.cluster_resources(), count, gpu))(_Actor)
        yield from _done(ray, lambda: actor.remote(make, job), count, Pieces(tasks), tick)
    finally:
        if started:
            ray.shutdown()


def _done(ray: Any, hire: Callable[[], Any], count: int, pieces: Pieces, tick: Tick) -> Iterator[tuple[int, Any]]:
    """Give pieces to idle actors, and take what comes."""
    idle, busy = [hire() for _ in range(count)], dict[Any, tuple[Any, int]]()
    try:
        while pieces or busy:
            while idle and pieces:
                hand, task = idle.pop(), pieces.take()
                busy[hand.do.remote(task)] = hand, task
            (answer,), _ = ray.wait(list(busy), num_returns=1)
            hand, task = busy.pop(answer)
            try:
                result, units = ray.get(answer)
            except ray.exceptions.RayActorError:
                pieces.failed(task, "its worker died")
                hand = hire()
            except ray.exceptions.RayTaskError as error:
                pieces.failed(task, _reason(error))
            else:
                tick(units)
                yield task, result
            idle.append(hand)
    finally:
        for hand in (*idle, *(hand for hand, _ in busy.values())):
            ray.kill(hand)
    pieces.close()


def _reason(error: Any) -> str:
    """What a worker raised, in words; a UserError of it is raised."""
    cause = error.cause or error
    if isinstance(cause, UserError):
        raise cause from None
    return f"{type(cause).__name__}: {cause}"


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
