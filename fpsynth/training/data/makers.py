"""The fingerprint of what makes the pictures: a small sample of fingers, captures, planes and sensors.

A store keeps the sample of the program that made it. Whoever opens it makes the sample again and compares, so that a
change of a finger, a capture, a plane or a sensor is noticed though nobody thought of it. A digest would not do, as
another processor rounds otherwise: fewer than one byte in a thousand then differs. A change of the program, such as a
wider range of one parameter, moves many more.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fpsynth.conditioning.planes import PLANES, control_planes
from fpsynth.finger import Master, grow_masters
from fpsynth.impression import CaptureSettings, Impression, capture
from fpsynth.minutiae import Minutia
from fpsynth.sensor import draw_device, render
from fpsynth.slots import words_of

CASES = (
    ("arch", 0, "plain", "excellent", "normal", None, "capacitive"),
    ("tented_arch", 1, "rolled", "good", "dry", "light", "thermal"),
    ("left_loop", 2, "partial", "fair", "wet", "normal", "capacitive"),
    ("right_loop", 5, "slap", "poor", "normal", "firm", "thermal"),
    ("whorl", 7, "latent", "very poor", "dry", None, "latent"),
    ("double_loop", 10, "plain", "good", "wet", None, "optical"),
)
"""Pattern, position, acquisition, quality, skin, pressure and sensor of the six prints that are sampled."""
SIDE, STEP = 320, 20
"""Pixels along a side of a sampled print, and between the pixels that are kept of it."""
ALIKE = 0.004
"""Share of the bytes that may differ between two processors."""
PLANE, SENSOR = "plane ", "sensor "


def sample(names: Iterable[str]) -> dict[str, str]:
    """Name -> bytes in base64. Names: "fingers", "captures", "plane NAME", "sensor WORD".

    A name that this program does not know is left out.
    """
    fingers = _fingers()
    cases = zip(fingers, CASES, strict=True)
    prints = [capture(finger, _settings(*case[2:]), _rng(i)) for i, (finger, case) in enumerate(cases)]
    made = {name: _bytes_of(name, fingers, prints) for name in names}
    return {name: base64.b64encode(content).decode() for name, content in made.items() if content}


def names_of(planes: Sequence[str], sensors: Sequence[str]) -> list[str]:
    """The names of a sample that has these planes and sensors."""
    return ["fingers", "captures", *(PLANE + name for name in planes), *(SENSOR + word for word in sensors)]


def difference(found: Mapping[str, str], wanted: Mapping[str, str]) -> str | None:
    """Which maker is another one, in words; None where all are the same."""
    for name in [*wanted, *(name for name in found if name not in wanted)]:
        if not _alike(found.get(name, ""), wanted.get(name, "")):
            return f"was made by a program with other {name}"
    return None


def _alike(one: str, two: str) -> bool:
    a, b = (np.frombuffer(base64.b64decode(text), np.uint8) for text in (one, two))
    return a.size == b.size > 0 and float((a != b).mean()) <= ALIKE


def _rng(number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(number))


def _fingers() -> list[Master]:
    """One at a time: on a core that is faster than all together."""
    grown = [grow_masters([_rng(i)], [case[0]], [case[1]]) for i, case in enumerate(CASES)]
    return [finger for one in grown for finger in one]


def _settings(acquisition: str, quality: str, skin: str, pressure: str | None, sensor: str) -> CaptureSettings:
    words = {"acquisition": acquisition, "quality": quality, "skin": skin, "pressure": pressure, "sensor": sensor}
    return CaptureSettings.saying(words, SIDE, SIDE, 500)


def _bytes_of(name: str, fingers: Sequence[Master], prints: Sequence[Impression]) -> bytes:
    """Nothing for a name that is not known."""
    if name == "fingers":
        return b"".join(
            _grey((f.ridges + f.detail + 2.6) / 4.2) + _points(f.minutiae, *f.ridges.shape) for f in fingers
        )
    if name == "captures":
        return b"".join(_grey((i.ridges + 1) / 2) + _grey(i.contact) + _points(i.minutiae, SIDE, SIDE) for i in prints)
    word = name.removeprefix(PLANE).removeprefix(SENSOR)
    if name.startswith(PLANE) and word in PLANES:
        return b"".join(_grey(control_planes(one, [word])[0]) for one in prints)
    if name.startswith(SENSOR) and word in words_of("sensor"):
        return b"".join(_rendered(one, word, number) for number, one in enumerate(prints))
    return b""


def _rendered(impression: Impression, sensor: str, number: int) -> bytes:
    rng = _rng(number)
    return _grey(render(impression, draw_device(sensor, rng), rng) / 255)


def _grey(plane: Tensor) -> bytes:
    """A plane in [0, 1], thinned out."""
    return bytes((plane[::STEP, ::STEP].clamp(0, 1) * 255).round().to(torch.uint8).flatten().tolist())


def _points(minutiae: Sequence[Minutia], rows: int, cols: int) -> bytes:
    """16 x 16 cells: where minutiae lie and, roughly, how many and where they point."""
    cells = np.zeros((16, 16))
    for one in minutiae:
        cells[int(one.y * 16 / rows), int(one.x * 16 / cols)] += 40 + one.angle / 10
    return cells.clip(0, 255).astype(np.uint8).tobytes()
