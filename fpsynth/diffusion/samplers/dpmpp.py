"""DPM-Solver++ (2M) (Lu et al. 2022), deterministic, second order from two neighbouring steps."""

from diffusers import DPMSolverMultistepScheduler
from torch import Tensor

from fpsynth.diffusion.samplers.course import Course, Inject, Predict, set_to, solve
from fpsynth.diffusion.schedule import Schedule


def scheduler(schedule: Schedule, steps: int) -> DPMSolverMultistepScheduler:
    """diffusers' own; it keeps the outputs of its last steps, so each batch needs a fresh one."""
    return set_to(DPMSolverMultistepScheduler, schedule, steps, algorithm_type="dpmsolver++", solver_order=2)


def sample(predict: Predict, start: Tensor, inject: Inject, course: Course) -> Tensor:
    """See Sampler."""
    solver = scheduler(course.schedule, len(course.times))
    solver.set_begin_index(course.begin)
    return solve(solver, predict, start, course)
