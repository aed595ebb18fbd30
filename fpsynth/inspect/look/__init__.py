"""Look: what lies at a path (a dataset, a recipe, a model), told in figures."""

from fpsynth.inspect.look.look import inspect_path
from fpsynth.inspect.look.result import Look, Options

__all__ = ["Look", "Options", "inspect_path"]
