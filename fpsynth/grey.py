"""Pictures of any depth and colour as grey levels."""

import numpy as np
from PIL import Image


def grey_levels(image: Image.Image) -> np.ndarray:
    """(height, width) uint8. Of 16 bits the upper ones are kept, where Pillow's own conversion clips."""
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)
    return np.asarray(image.convert("L"))
