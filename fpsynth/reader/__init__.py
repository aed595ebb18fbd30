"""Reader: what an image looks like in the words of the slots, also of an image that is still noisy."""

from fpsynth.reader.guide import Guiding
from fpsynth.reader.reader import Reader, Reading, load_reader, save_reader

__all__ = ["Guiding", "Reader", "Reading", "load_reader", "save_reader"]
