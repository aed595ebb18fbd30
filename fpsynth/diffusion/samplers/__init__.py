"""Samplers: each a pure function, in the module of its name, that goes from noise to a clean latent in a few steps.

diffusers draws a stochastic scheduler's noise inside its step, from one generator for the batch. Here it comes from
outside, so that every image has its own or its identity's. Tests hold every sampler to diffusers' own.
"""

from fpsynth.diffusion.samplers.course import Course, Inject, Predict, Sampler, make_course
from fpsynth.diffusion.samplers.table import sampler_of

__all__ = ["Course", "Inject", "Predict", "Sampler", "make_course", "sampler_of"]
