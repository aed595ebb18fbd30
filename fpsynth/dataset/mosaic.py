"""Pictures side by side on one page."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

SIZE, GAP = 256, 6


def mosaic(rows: Sequence[Sequence[np.ndarray]], size: int = SIZE) -> np.ndarray:
    """Pictures in rows on a white page, each fitted into a square of this size."""
    columns = max(len(row) for row in rows)
    step = size + GAP
    page = np.full((len(rows) * step + GAP, columns * step + GAP), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            small = np.asarray(_fitted(picture, size))
            top = GAP + y * step + (size - small.shape[0]) // 2
            left = GAP + x * step + (size - small.shape[1]) // 2
            page[top : top + small.shape[0], left : left + small.shape[1]] = small
    return page


def _fitted(picture: np.ndarray, size: int) -> Image.Image:
    image = Image.fromarray(picture)
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    return image
