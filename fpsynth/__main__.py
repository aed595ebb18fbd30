"""``python -m fpsynth``: the command line."""

from fpsynth.cli import main

main()
