"""Whether each knob of a model does what it says: one command, one table, one picture a knob.

python benchmarks/control.py [MODEL] [--only words,style] [--reference optical=DIR] [--work DIR] -o docs/control

Every setting is a real run of a recipe, with the gate off; the images are judged by NIST's tools, by the embedding and
by the reader. Sets that lie in --work are not made again.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from knobs.context import context
from knobs.guidance import guidance
from knobs.page import write
from knobs.rows import rows
from knobs.sampling import control_scale, shared_noise, steps, variation
from knobs.sets import Bench, Knob
from knobs.style import style
from knobs.swap import swap
from knobs.words import words

from fpsynth.errors import UserError
from fpsynth.model_folder import default_model

KNOBS: dict[str, Callable[[Bench], Iterator[Knob]]] = {
    "rows": rows,
    "words": words,
    "style": style,
    "swap": swap,
    "guidance": guidance,
    "control_scale": control_scale,
    "shared_noise": shared_noise,
    "variation": variation,
    "steps": steps,
    "context": context,
}


def main() -> int:
    """Measure, print the table, write it with its pictures. Returns the exit code: 2 for a person's mistake."""
    try:
        _measure(_options())
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _measure(options: argparse.Namespace) -> None:
    names = _known(options.only.split(","))
    bench = Bench(
        model=options.model,
        work=options.work or Path(tempfile.mkdtemp(prefix="control-")),
        student=options.student,
        size=options.size,
        scale=options.scale,
        references=dict(_reference(pair) for pair in options.reference),
    )
    text = ""
    for name in names:
        text = write(list(KNOBS[name](bench)), options.out)
    print(text)


def _known(names: list[str]) -> list[str]:
    if strange := [name for name in names if name not in KNOBS]:
        raise UserError(f"--only: no knob {strange[0]!r}; one of {', '.join(KNOBS)}")
    return names


def _reference(pair: str) -> tuple[str, Path]:
    name, equals, folder = pair.partition("=")
    if not (name and equals and Path(folder).is_dir()):
        raise UserError(f"--reference: {pair!r} is not NAME=DIR with a folder that is there")
    return name, Path(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", default=default_model())
    parser.add_argument("--student", default="default", help="the few-step student, or none")
    parser.add_argument("--only", default=",".join(KNOBS), help="knobs, separated by commas")
    parser.add_argument("--reference", action="append", default=[], metavar="NAME=DIR", help="a folder of real prints")
    parser.add_argument("--size", type=int, default=256, help="pixels along a side")
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual number of images")
    parser.add_argument(
        "--work",
        type=Path,
        help="where the sets lie (default: a temporary folder)",
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("docs/control"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
