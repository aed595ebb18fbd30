"""Inspect: what is in a dataset, a recipe or a model, and is it sound; measured, reported, looked at."""
