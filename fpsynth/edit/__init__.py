"""Prints that exist, drawn anew: verbs.py sketches one, studio.py has the model draw it, enlarge.py makes it finer."""
