"""Embedding: a fingerprint image as a short vector; prints of one finger point the same way."""
