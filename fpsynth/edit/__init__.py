"""Prints that exist, drawn anew: studio.py has the model draw one, enlarge.py makes it finer."""
