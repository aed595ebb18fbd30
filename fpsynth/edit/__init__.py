"""Prints that exist, drawn anew by the model: picture.py reads one, verbs.py sketches it, studio.py draws it."""
