"""A look ahead: a dozen of the images that a recipe makes, on one sheet."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fpsynth.console import Table
from fpsynth.dataset import Row
from fpsynth.dataset.mosaic import mosaic
from fpsynth.files import replacing
from fpsynth.recipe import Plan, RowPlan
from fpsynth.recipe.plan import plan_identity, plan_row

ACROSS = 3
"""Impressions of a finger on the sheet, where there are enough fingers."""


def first_rows(plan: Plan, count: int) -> list[list[RowPlan]]:
    """About `count` rows of the plan: the first impressions of the first identities, one identity a line."""
    recipe = plan.recipe
    across = min(recipe.impressions, ACROSS, count)
    down = min(recipe.identities, max(count // across, 1))
    across = min(recipe.impressions, max(count // down, 1))
    people = [plan_identity(recipe, number) for number in range(down)]
    return [[plan_row(recipe, who, number, plan.styles) for number in range(across)] for who in people]


def write_preview(rows: Sequence[Row], across: int, path: Path) -> None:
    """The images of rows as one PNG, so many in a line."""
    lines = [[row.image for row in rows[start : start + across]] for start in range(0, len(rows), across)]
    with replacing(path) as temporary:
        Image.fromarray(mosaic(lines)).save(temporary, "PNG")


def preview_table(rows: Sequence[Row], path: Path) -> Table:
    """What is on the sheet, line by line."""
    told = [(row.id, row.prompt + (f" ({row.gate.verdict})" if row.gate.extractor else "")) for row in rows]
    return Table(f"{path}: {len(rows)} images", told)
