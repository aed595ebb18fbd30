"""Codec: images to latents and back."""

from fpsynth.diffusion.codec.protocol import Codec

__all__ = ["Codec"]
