"""A crew of processes, each with a worker of its own. One that dies is replaced, and its piece is begun again."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from fpsynth.errors import UserError
from fpsynth.work.local import Tick, Worker
from fpsynth.work.pieces import Pieces

R = TypeVar("R")
J = TypeVar("J")
SPAWN = get_context("spawn")


def run_on_processes(
    make: Callable[[J], Worker[R]], job: J, tasks: Sequence[int], tick: Tick, workers: int, gpus: Sequence[str] = ()
) -> Iterator[tuple[int, R]]:
    """Yield (task, result) as pieces are finished, in any order, by workers that make(job) builds.

    Each has a process, an even share of the cores and, in turn, one of gpus (as CUDA_VISIBLE_DEVICES names them). A
    UserError of a worker comes through. Raises Unfinished, when all else is done, for pieces that failed three times.
    """
    pieces = Pieces(tasks)
    crew = [_Hand(make, job, _surroundings(n, workers, gpus)) for n in range(min(workers, len(tasks)))]
    try:
        while pieces or any(hand.task is not None for hand in crew):
            for hand in crew:
                if hand.task is None and pieces:
                    hand.give(pieces.take())
            for hand in _ready(crew):
                what, content = hand.hear()
                if what == "units":
                    hand.units += content
                    tick(content)
                elif what == "done":
                    yield hand.free(), content
                else:
                    tick(-hand.units)
                    pieces.failed(hand.free(), content)
    finally:
        for hand in crew:
            hand.stop()
    pieces.close()


class _Hand:
    """A process, the pipe to it, the piece that it is at and how many units of it are done."""

    def __init__(self, make: Callable[[Any], Worker[Any]], job: Any, surroundings: Mapping[str, str]) -> None:
        self.how = (make, job, surroundings)
        self.process, self.pipe = _start(*self.how)
        self.task: int | None = None
        self.units = 0

    def give(self, task: int) -> None:
        self.task, self.units = task, 0
        with suppress(OSError):  # it died meanwhile: hear will say so
            self.pipe.send(task)

    def hear(self) -> tuple[str, Any]:
        """("units", n), ("done", result) or ("failed", why); one that died is replaced. UserError comes through."""
        try:
            what, content = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            what, content = "failed", f"its process ended with {self.process.exitcode}"
            self.pipe.close()
            self.process, self.pipe = _start(*self.how)
        if isinstance(content, UserError):
            raise content
        return what, content

    def free(self) -> int:
        """The piece that it was at."""
        task, self.task = self.task, None
        assert task is not None
        return task

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def _ready(crew: Sequence[_Hand]) -> list[_Hand]:
    """Those that have something to say, and those that died at work."""
    busy = {hand.pipe: hand for hand in crew if hand.task is not None}
    return [busy[pipe] for pipe in wait(list(busy)) if isinstance(pipe, Connection)]


def _start(make: Callable[[Any], Worker[Any]], job: Any, surroundings: Mapping[str, str]) -> tuple[Any, Connection]:
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve, args=(there, make, job), daemon=True)
    with _environment(surroundings):
        process.start()
    there.close()
    return process, here


def _serve(pipe: Connection, make: Callable[[Any], Worker[Any]], job: Any) -> None:
    """Do pieces until the pipe is closed, also by the death of whoever gives them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the other end, which then stops this one
    worker = None
    with suppress(EOFError, BrokenPipeError):
        while True:
            task = pipe.recv()
            try:
                worker = worker or make(job)
                pipe.send(("done", worker(task, lambda count: pipe.send(("units", count)))))
            except BrokenPipeError:
                raise
            except UserError as error:
                pipe.send(("failed", error))
            except Exception as error:
                pipe.send(("failed", f"{type(error).__name__}: {error}"))


def _surroundings(number: int, workers: int, gpus: Sequence[str]) -> dict[str, str]:
    """Environment variables of a worker: its threads, which libraries read when they are loaded, and its GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores // workers))
    return {"OMP_NUM_THREADS": threads, **({"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {})}


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
