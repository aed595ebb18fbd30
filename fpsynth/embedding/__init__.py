"""Embedding: a fingerprint image as a short vector; prints of one finger point the same way."""

from fpsynth.embedding.embedder import Description, Embedder, default_embedding, load_embedder

__all__ = ["Description", "Embedder", "default_embedding", "load_embedder"]
