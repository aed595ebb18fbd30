"""Where pieces of work run: here one after the other, in processes, or on Ray actors; not what they are."""

from fpsynth.work.cluster import require_ray, run_on_ray
from fpsynth.work.crew import run_on_processes
from fpsynth.work.local import Mapper, Tick, Worker, processes, run_here, single_thread

__all__ = [
    "Mapper",
    "Tick",
    "Worker",
    "processes",
    "require_ray",
    "run_here",
    "run_on_processes",
    "run_on_ray",
    "single_thread",
]
