"""Pictures of any depth and colour as grey levels, at any resolution."""

import cv2
import numpy as np
from PIL import Image


def grey_levels(image: Image.Image) -> np.ndarray:
    """(height, width) uint8. Of 16 bits the upper ones are kept, where Pillow's own conversion clips."""
    if image.mode.startswith("I;16") or (image.mode == "I" and np.asarray(image).max() > 255):  # I: a PGM of 16 bits
        return (np.asarray(image).clip(0, 0xFFFF) >> 8).astype(np.uint8)
    return np.asarray(image.convert("L"))


def rescaled(image: np.ndarray, scale: float) -> np.ndarray:
    """A grey image (height, width), larger by this factor: the means of areas where that is below 1, else cubic."""
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return image if scale == 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
