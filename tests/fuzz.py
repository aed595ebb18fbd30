"""Minutiae records and recipes, damaged at random, as somebody else's file may be: one clear error, or none.

python -m tests.fuzz [--records 1000000] [--recipes 100000] [--seed 0]
"""

import argparse
import random
import resource
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fpsynth.dataset.sidecar import encode
from fpsynth.errors import UserError
from fpsynth.minutiae.record import FormatError
from fpsynth.minutiae.template import read_template
from fpsynth.recipe import load_recipe
from fpsynth.recipe.bundled import bundled_recipes
from tests.dataset.rows import row

ROOM = 512 << 20
"""Bytes that reading may take beyond what the program itself does."""
SECONDS = 5
FORMS = ("iso19794-2", "ansi378", "xyt", "json")
WORDS = (
    b"9" * 5000, b"-1", b"1e999", b"NaN", b"Infinity", b"null", b"[[[[", b"{" * 3000, b"\xc2\xb2", b"\xff", b"\0", b"'",
    b'"', b": ", b"- ", b"\n", b"\t", b"&a ", b"*a", b"<<: ", b"!!python/object:os.system ", b"%s", b"{sensor}", b"~",
    b"#", b"|", b"0x7fffffffffffffff", b"1_000", b"2026-11-30", b"true", b"\xe2\x80\xae",
)  # fmt: skip
"""What breaks readers."""


def mutated(content: bytes, rng: random.Random) -> bytes:
    """With one to four changes: bytes flipped, cut, doubled, moved, or something nasty put in."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        match rng.randrange(6):
            case 0 if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
            case 1:
                del data[at : min(end, at + 40)]
            case 2:
                data[at:at] = data[at : min(end, at + 200)]
            case 3:
                data[at:] = b""
            case 4:
                data[at:at] = rng.choice(WORDS)
            case _:
                data[at : at + rng.randint(1, 6)] = rng.choice(WORDS)
    return bytes(data)


def fuzz(read: Callable[[Path], object], good: list[bytes], count: int, seed: int, path: Path) -> Counter[str]:
    """Read so many damaged files. Raises AssertionError, with the file left at path, where one was not borne."""
    rng, ends = random.Random(seed), Counter[str]()
    for _ in range(count):
        path.write_bytes(mutated(rng.choice(good), rng))
        ends[borne(read, path)] += 1
    return ends


def borne(read: Callable[[Path], object], path: Path) -> str:
    """How reading ended: read or refused."""
    start = time.monotonic()
    signal.alarm(SECONDS)
    try:
        read(path)
        return "read"
    except (UserError, FormatError) as error:
        assert str(error).strip(), "an error says something"
        return "refused"
    except BaseException as error:
        raise AssertionError(
            f"{path}: {type(error).__name__}: {error} after {time.monotonic() - start:.1f} s"
        ) from error
    finally:
        signal.alarm(0)


def limited() -> None:
    """From now on reading may take ROOM bytes more, and a hang is an error."""
    with open("/proc/self/statm") as told:
        size = int(told.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _hang)


def _hang(signum: int, frame: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def records() -> list[bytes]:
    """Good ones of every format."""
    return [encode(form, row(identity, 0)) for form in FORMS for identity in range(3)]


def recipes() -> list[bytes]:
    """Those that come with the program."""
    return [path.read_bytes() for name, path in bundled_recipes().items() if "/" not in name]


def main() -> None:
    """Read as many as asked, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--recipes", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    limited()
    home = Path(tempfile.mkdtemp())  # left where a file was not borne
    print("records", dict(fuzz(read_template, records(), options.records, options.seed, home / "record")))
    print("recipes", dict(fuzz(load_recipe, recipes(), options.recipes, options.seed, home / "recipe.yaml")))
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
