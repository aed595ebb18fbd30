"""``python -m fpsynth``: the command line."""

from fpsynth.cli import main

if __name__ == "__main__":  # worker processes import this module
    main()
