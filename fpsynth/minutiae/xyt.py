"""NIST's .xyt text: a line `x y theta quality` for each minutia, as mindtct writes and bozorth3 reads it.

Whole pixels from the BOTTOM left corner (y up), theta in whole degrees counter-clockwise and pointing OPPOSITE to
ISO/IEC 19794-2 (NBIS, xytreps.c, lfs2nist_minutia_XYT). The format does not say which minutiae are bifurcations.
"""

from collections.abc import Iterable

from fpsynth.minutiae.minutia import Minutia
from fpsynth.minutiae.record import LARGEST, FormatError

FULL_TURN = 360


def encode(minutiae: Iterable[Minutia], height: int) -> str:
    """Lines for the minutiae of an image of this height."""
    return "".join(_line(m, height) for m in minutiae)


def _line(m: Minutia, height: int) -> str:
    return f"{round(m.x)} {height - round(m.y)} {round(m.angle + 180) % FULL_TURN} {m.quality}\n"


def decode(text: str, height: int) -> tuple[Minutia, ...]:
    """Read the lines back; every kind is given as ending. Raises FormatError with the number of a bad line."""
    return tuple(_read(number, line, height) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _read(number: int, line: str, height: int) -> Minutia:
    try:
        x, y, theta, quality = (int(word) for word in line.split())
    except ValueError:
        raise FormatError(f"line {number}: four whole numbers expected, not {line[:80]!r}") from None
    if not (0 <= theta < FULL_TURN and 0 <= quality <= 100 and 0 <= x <= LARGEST and 0 <= y <= height):
        raise FormatError(f"line {number}: {line[:80]!r} is out of range")
    return Minutia(float(x), float(height - y), float((theta + 180) % FULL_TURN), "ending", quality)
