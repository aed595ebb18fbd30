"""Twice the resolution: what 1000 ppi show of a print that was captured at 500.

The last stage of a cascade (Ho et al., Cascaded diffusion models, 2022), in one step: a finisher's network on pixels,
taught by a critic, draws what is finer than the pixels that are there. The mean of four new pixels is the old one.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.diffusion.finisher import WEIGHTS, Finisher, Shape, load_network

SCALE = 2
WIDTHS = (16, 32, 48)
MULTIPLE = 2 ** (len(WIDTHS) - 2)
"""Pixels: sides of the picture must be multiples of it."""
TILE, MARGIN = 512, 64
"""Pixels of the picture that are drawn at once, and that are seen around them."""

CRISP = 0.8
"""How far the bundled network's pictures go from a smooth one: all the way they have half as much fine power again as
renders have."""


def new_upscaler() -> Finisher:
    """One that has learnt nothing: it interpolates. Nothing but the picture is told."""
    return Finisher(Shape(planes=0, code=1, widths=WIDTHS))


def upscaled(network: Finisher, picture: Tensor, noise: Tensor, crisp: float = 1.0) -> Tensor:
    """picture (B, 1, H, W) in [-1, 1], noise (B, 1, 2H, 2W) standard normal -> (B, 1, 2H, 2W), which may leave
    [-1, 1]. crisp: how far from a smooth picture."""
    smooth = F.interpolate(picture, scale_factor=float(SCALE), mode="bicubic")
    count, *_, height, width = smooth.shape
    fine: Tensor = network(smooth, picture.new_zeros(count, 0, height, width), noise, picture.new_zeros(count, 1))
    fine = torch.lerp(smooth, fine, crisp)
    return fine + F.interpolate(picture - F.avg_pool2d(fine, SCALE), scale_factor=float(SCALE), mode="nearest")


@cache
def load_upscaler(device: str = "cpu") -> Finisher:
    """The bundled one. Raises DamagedFile where it cannot be read."""
    return load_network(default_upscaler(), device, torch.float32)


def default_upscaler() -> Path:
    """The folder of the bundled one."""
    return Path(__file__).parent.parent / "weights" / "upscaler"


@cache
def upscaler_digest() -> str:
    """SHA-256 of the bundled weights."""
    return hashlib.sha256((default_upscaler() / WEIGHTS).read_bytes()).hexdigest()


def enlarged(image: np.ndarray, rng: np.random.Generator, device: str) -> np.ndarray:
    """A grey image (height, width) uint8 at twice its resolution, by the bundled network."""
    signed = torch.from_numpy(image.copy()).float()[None, None] / 127.5 - 1
    noise = rng.standard_normal([SCALE * side for side in image.shape], np.float32)
    drawn = upscaled_whole(load_upscaler(device), signed, torch.from_numpy(noise)[None, None])[0, 0]
    return ((drawn.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()


@torch.inference_mode()
def upscaled_whole(network: Finisher, picture: Tensor, noise: Tensor) -> Tensor:
    """The same for a picture of any size, tile by tile: what is far away changes nothing."""
    drawn, device = torch.empty(noise.shape), network.out.weight.device
    for (y, seen_y), (x, seen_x) in product(*(tuple(_tiles(side)) for side in picture.shape[2:])):
        coarse = _even(picture[:, :, seen_y, seen_x], MULTIPLE)
        grain = _even(noise[:, :, _fine(seen_y), _fine(seen_x)], SCALE * MULTIPLE)
        part = upscaled(network, coarse.to(device), grain.to(device), CRISP).cpu()
        drawn[:, :, _fine(y), _fine(x)] = part[:, :, _fine(y, seen_y.start), _fine(x, seen_x.start)]
    return drawn


def _tiles(side: int) -> Iterator[tuple[slice, slice]]:
    """What is kept of each tile, and what is seen of it."""
    for start in range(0, side, TILE):
        end = min(start + TILE, side)
        yield slice(start, end), slice(max(start - MARGIN, 0), min(end + MARGIN, side))


def _fine(part: slice, start: int = 0) -> slice:
    """The same place among the new pixels, counted from `start`."""
    return slice(SCALE * (part.start - start), SCALE * (part.stop - start))


def _even(picture: Tensor, multiple: int) -> Tensor:
    """With sides that are multiples, its border repeated."""
    height, width = picture.shape[2:]
    return F.pad(picture, (0, -width % multiple, 0, -height % multiple), mode="replicate")
