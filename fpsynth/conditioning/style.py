"""Style images: pictures whose look (sensor, background, ink) the output is to have."""

from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from fpsynth.errors import UserError
from fpsynth.grey import grey_levels

STYLE_SIZE = 128
"""Pixels that the image encoder sees along each side."""


def style_pixels(image: Tensor) -> Tensor:
    """(H, W) uint8 -> (3, 128, 128) float32 in [-1, 1], what the image encoder takes.

    The largest square in the middle of the picture, reduced with antialiasing.
    """
    height, width = image.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side].float()[None, None]
    small = F.interpolate(square, (STYLE_SIZE, STYLE_SIZE), mode="bilinear", antialias=True, align_corners=False)
    return (small[0] / 127.5 - 1).expand(3, -1, -1).contiguous()


def load_style(path: Path) -> Tensor:
    """A style image from disk as (H, W) uint8. Raises UserError for a file that is missing or no image."""
    try:
        with Image.open(path) as image:
            return torch.from_numpy(grey_levels(image).copy())
    except FileNotFoundError:
        raise UserError(f"{path}: style image not found") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UserError(f"{path}: not an image that can be read ({error})") from None
