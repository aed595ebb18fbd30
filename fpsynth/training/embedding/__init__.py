"""The embedding stage: a network that describes a print by a vector, learnt from virtual fingers alone."""

from fpsynth.training.embedding.job import run_embedding, save_embedding
from fpsynth.training.embedding.settings import EmbeddingSettings

__all__ = ["EmbeddingSettings", "run_embedding", "save_embedding"]
