"""Measure: every image of a dataset looked at once, compared with others, and what the figures come to."""
