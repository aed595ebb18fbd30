"""Contact sheets: fingers in rows, their impressions in columns."""

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from fpsynth.dataset.item import Item
from fpsynth.dataset.mosaic import mosaic
from fpsynth.files import replacing
from fpsynth.inspect.measure.image import decode

if TYPE_CHECKING:
    from fpsynth.inspect.measure.dataset import Measured

ROWS, COLUMNS = 8, 6


def write_sheet(look: "Measured", path: Path) -> None:
    """Write a PNG: up to 8 fingers spread over the dataset, up to 6 impressions of each."""
    by_identity: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for record in look.records:
        by_identity[record.identity].append((record.unit, record.number))
    names = list(by_identity)
    count = min(ROWS, len(names))
    chosen = [by_identity[names[i * len(names) // count]][:COLUMNS] for i in range(count)]
    items = items_at(look, {place for row in chosen for place in row})
    page = mosaic([[decode(items[place].encoded) for place in row] for row in chosen])
    with replacing(path) as temporary:
        Image.fromarray(page).save(temporary, "PNG")


def items_at(look: "Measured", places: Collection[tuple[int, int]]) -> dict[tuple[int, int], Item]:
    """The images at these places (unit, number); only their units are read."""
    items = {}
    for unit in sorted({unit for unit, _ in places}):
        wanted = {number for at, number in places if at == unit}
        for number, item in enumerate(look.source.units[unit].read()):
            if number in wanted:
                items[unit, number] = item
            if number >= max(wanted):
                break
    return items
