"""Which prints a batch holds, and what is done to them: mirrored, moved, disturbed, cut off."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.embedding.network import SIZE
from fpsynth.extractor.contrast import CLIP

KINDS = {"left_loop": 0, "right_loop": 1, "whorl": 2, "double_loop": 2, "arch": 3, "tented_arch": 3}
EVERY, LOOPS = (0, 1, 2, 3), (0, 1)
HARDNESS = ((EVERY, 0.3), (LOOPS, 0.4), ((2,), 0.2), ((3,), 0.1))
"""Kinds of the fingers of a batch, and how often."""


@dataclass(frozen=True)
class Lot:
    """Some prints: whole (B, 1, 256, 256) normalised, finger (B,), poses (B, 3), minutiae (B, 96, 3)."""

    whole: Tensor
    finger: Tensor
    poses: Tensor
    minutiae: Tensor


def draw_fingers(kinds: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers of different fingers, and which are to be mirrored. kinds: of every finger, see KINDS.

    Of all kinds, or of one where it has two fingers or more; loops then all open to the same side. Fewer than `count`
    where there are not as many.
    """
    drawn = int(torch.multinomial(torch.tensor([share for _, share in HARDNESS]), 1, generator=generator))
    wanted = HARDNESS[drawn][0]
    pool = torch.isin(kinds, torch.tensor(wanted)).nonzero()[:, 0]
    if len(pool) < 2:
        wanted, pool = EVERY, torch.arange(len(kinds))
    finger = pool[torch.randperm(len(pool), generator=generator)[:count]]
    flip = torch.rand(len(finger), generator=generator) < 0.5
    return finger, (kinds[finger] == 0) ^ bool(flip[0]) if wanted == LOOPS else flip


def mirrored(lot: Lot, chosen: Tensor) -> Lot:
    """The chosen prints left to right reversed."""
    x, y, turn = lot.poses.unbind(1)
    across, down, direction = lot.minutiae.unbind(2)
    poses = torch.stack([torch.where(chosen, SIZE - 1 - x, x), y, torch.where(chosen, -turn, turn)], 1)
    column = chosen[:, None]
    minutiae = torch.stack(
        [torch.where(column, SIZE - 1 - across, across), down, torch.where(column, math.pi - direction, direction)], 2
    )
    return Lot(torch.where(chosen[:, None, None, None], lot.whole.flip(3), lot.whole), lot.finger, poses, minutiae)


def moved(whole: Tensor, pose: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Whole prints turned by up to half a right angle about the middle and shifted by up to 24 px, with their poses."""
    count, middle = len(whole), (SIZE - 1) / 2
    turn = (torch.rand(count, generator=generator) - 0.5) * math.pi / 2
    shift = (torch.rand(count, 2, generator=generator) - 0.5) * 48
    cos, sin = turn.cos(), turn.sin()
    to = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # old = to (new - middle) + ...
    theta = torch.cat([to, (shift * 2 / (SIZE - 1))[:, :, None]], 2)
    grid = F.affine_grid(theta, list(whole.shape), align_corners=True)
    centre = torch.einsum("bji,bj->bi", to, pose[:, :2] - middle - shift) + middle
    return F.grid_sample(whole, grid, align_corners=True), torch.cat([centre, (pose[:, 2] - turn)[:, None]], 1)


def disturbed(x: Tensor, generator: torch.Generator) -> Tensor:
    """Normalised prints (B, 1, H, W) as another sensor, another pressure and another placement would give them."""
    count, _, height, width = x.shape
    u = torch.rand(count, 6, generator=generator)[:, :, None, None, None]
    x = x + 1.2 * (u[:, 0] - 0.5) * (x.abs() > 0.15)  # thinner or thicker ridges
    blurred = F.avg_pool2d(x, 3, 1, 1)
    x = torch.lerp(x, blurred, u[:, 1] * (u[:, 2] < 0.5))
    x = x * (0.5 + 0.8 * u[:, 3]) + 0.5 * u[:, 4] * torch.randn(x.shape, generator=generator) * (u[:, 5] < 0.5)
    return (x * _kept(count, height, width, generator)).clamp(-CLIP, CLIP)


def _kept(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """(B, 1, H, W): of some prints one side is cut off along a line, others have a hole."""
    u = torch.rand(count, 6, generator=generator)[:, :, None, None, None]
    y = torch.linspace(-1, 1, height)[:, None] * height / width
    x = torch.linspace(-1, 1, width)[None, :]
    turn = 2 * math.pi * u[:, 0]
    within = (x * turn.cos() + y * turn.sin() < 0.1 + 0.9 * u[:, 1]) | (u[:, 2] > 0.35)
    hole = (x - 2 * u[:, 3] + 1).square() + (y - 2 * u[:, 4] + 1).square() < 0.1
    return (within & ~(hole & (u[:, 5] < 0.3))).float()
