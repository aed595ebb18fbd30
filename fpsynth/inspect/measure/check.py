"""What can be wrong with one image: it cannot be read, is not what its row says, is blank, its sidecars disagree."""

import hashlib
import json
from collections.abc import Iterator, Sequence

from fpsynth.dataset.item import Item
from fpsynth.errors import UserError
from fpsynth.inspect.measure.fault import Fault
from fpsynth.inspect.measure.image import Light
from fpsynth.minutiae import Minutia, ansi378, iso19794, xyt
from fpsynth.minutiae.record import best

PIXELS = 1.0
"""Sidecars hold whole pixels; at the right and lower edge one is lost."""


def check_item(item: Item, light: Light) -> Iterator[Fault]:
    """Faults of an image that could be read."""
    where = item.name
    if item.size is not None and item.size != (light.width, light.height):
        yield Fault("size", where, f"image is {light.width}x{light.height}, the row says {item.size[0]}x{item.size[1]}")
    if item.sha256 is not None and hashlib.sha256(item.encoded).hexdigest() != item.sha256:
        yield Fault("changed image", where, "the image is not the one that was written (its digest differs)")
    if light.blank:
        yield Fault("blank image", where, f"nothing is on it (grey level deviation {light.deviation:.1f})")
    if item.minutiae is not None:
        yield from _outside(item, light)
        yield from check_sidecars(item, item.minutiae, light.height)


def _outside(item: Item, light: Light) -> Iterator[Fault]:
    assert item.minutiae is not None
    out = sum(not (-1 <= m.x <= light.width and -1 <= m.y <= light.height) for m in item.minutiae)
    if out:
        yield Fault("minutiae", item.name, f"{out} minutiae lie outside the image")


def check_sidecars(item: Item, minutiae: Sequence[Minutia], height: int) -> Iterator[Fault]:
    """Sidecar files that are missing, broken, or say something else than the row."""
    for form, content in item.sidecars.items():
        if content is None:
            yield Fault("sidecar", item.name, f"its {form} file is missing")
            continue
        try:
            told, step, kept = _read_sidecar(form, content, minutiae, height)
        except (UserError, ValueError, KeyError, TypeError) as error:
            yield Fault("sidecar", item.name, f"its {form} file is damaged: {error}")
            continue
        if not _same(told, kept, step):
            yield Fault("sidecar", item.name, f"its {form} file disagrees with the row")


def _read_sidecar(
    form: str, content: bytes, minutiae: Sequence[Minutia], height: int
) -> tuple[Sequence[Minutia], float, Sequence[Minutia]]:
    """What the file says, how far its angles may be rounded, and the row's minutiae that it should hold."""
    if form == "xyt":
        return xyt.decode(content.decode("ascii"), height), 0.51, minutiae
    if form == "json":
        rows = json.loads(content)["minutiae"]
        return [Minutia(m["x"], m["y"], m["angle"], m["kind"], m["quality"]) for m in rows], 0.01, minutiae
    codec = iso19794 if form == "iso19794-2" else ansi378
    return codec.decode(content).views[0].minutiae, codec.UNIT / 2 + 0.01, best(minutiae)


def _same(told: Sequence[Minutia], wanted: Sequence[Minutia], step: float) -> bool:
    return len(told) == len(wanted) and all(
        abs(a.x - b.x) <= PIXELS + 0.01
        and abs(a.y - b.y) <= PIXELS + 0.01
        and abs((a.angle - b.angle + 180) % 360 - 180) <= step
        for a, b in zip(told, wanted, strict=True)
    )
