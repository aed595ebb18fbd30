"""The reader stage: a network that reads the words of the slots off an image, learnt from a bank."""

from fpsynth.training.reader.job import run_reader
from fpsynth.training.reader.settings import ReaderSettings

__all__ = ["ReaderSettings", "run_reader"]
