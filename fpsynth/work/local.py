"""Pieces of work in this process, one after the other, or as a plain map over processes."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

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
