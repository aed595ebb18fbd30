"""The denoiser stage, from scratch, and the adapters stage on a model that stays as it is."""

from fpsynth.training.denoiser.adapters import AdapterSettings, run_adapters
from fpsynth.training.denoiser.denoiser import DenoiserSettings, begun_model, run_denoiser, trained_on

__all__ = ["AdapterSettings", "DenoiserSettings", "begun_model", "run_adapters", "run_denoiser", "trained_on"]
