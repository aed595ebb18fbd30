"""Samplers by name."""

from importlib import import_module
from typing import cast

from fpsynth.diffusion.samplers.course import Sampler
from fpsynth.errors import UserError
from fpsynth.vocabulary import SAMPLERS


def sampler_of(name: str) -> Sampler:
    """The sampler of this name (see fpsynth.vocabulary.SAMPLERS). Raises UserError for an unknown one."""
    if name not in SAMPLERS:
        raise UserError(f"unknown scheduler {name!r}; one of {', '.join(SAMPLERS)}")
    return cast(Sampler, import_module(f"fpsynth.diffusion.samplers.{name}"))
