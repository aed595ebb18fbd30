"""Look: what lies at a path (a dataset, a recipe, a model), told in figures."""

from fpsynth.inspect.look.look import Look, Options, inspect_path

__all__ = ["Look", "Options", "inspect_path"]
