"""fpsynth: synthetic fingerprint datasets from a recipe."""

__version__ = "0.2.0"
