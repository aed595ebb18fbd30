"""The orientation field of a finger from the directions at some of its points, such as its minutiae.

The doubled angle's unit vector u (Kass & Witkin 1987) is interpolated: of all fields that pass by the given ones,
sum |u(x_i) - u_i|^2 + BENDING |second differences of u|^2 + SLOPE |differences of u|^2 is least. Cores and deltas are
its zeros. (Cappelli et al., "Fingerprint image reconstruction from standard templates", PAMI 2007, fit a model with
given cores and deltas to the minutiae; Feng & Jain, "Fingerprint reconstruction: from minutiae to phase", PAMI 2011,
average the nearest ones of eight sectors.)
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

STEP = 16
"""Master pixels between the points at which the field is solved."""
BENDING, SLOPE = 1.0, 0.15


def interpolated(points: np.ndarray, angles: np.ndarray, weights: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """u, (rows, cols, 2) on a grid of STEP pixels over a master of `size` (height, width) pixels.

    points (n, 2): x, y; angles (n,) radians counter-clockwise from +x; weights (n,).
    """
    rows, cols = (side // STEP + 1 for side in size)
    at, shares = _corners(points / STEP, rows, cols)
    known = np.zeros((len(points), rows * cols))
    np.put_along_axis(known, at, shares, 1)
    weighted = known * weights[:, None]
    wanted = weighted.T @ np.stack([np.cos(2 * angles), np.sin(2 * angles)], 1)
    solved: np.ndarray = np.linalg.solve(weighted.T @ known + _stiffness(rows, cols), wanted)
    return solved.reshape(rows, cols, 2)


def _corners(points: np.ndarray, rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 4) numbers of the grid points around each point, and their bilinear weights."""
    left = np.clip(points[:, 0].astype(int), 0, cols - 2)
    top = np.clip(points[:, 1].astype(int), 0, rows - 2)
    x, y = points[:, 0] - left, points[:, 1] - top
    first = top * cols + left
    at = np.stack([first, first + 1, first + cols, first + cols + 1], 1)
    return at, np.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], 1)


def _stiffness(rows: int, cols: int) -> np.ndarray:
    down, across = np.eye(rows), np.eye(cols)
    total = np.zeros((rows * cols, rows * cols))
    for order, weight in ((1, SLOPE), (2, BENDING)):
        for side in (np.kron(down, np.diff(across, order, 0)), np.kron(np.diff(down, order, 0), across)):
            total += weight * side.T @ side
    return total


def orientation_of(field: np.ndarray, height: int, width: int, scale: float) -> Tensor:
    """(height, width) float32 radians in [0, pi): the field u on a grid of `scale` master pixels a sample."""
    rows, cols = field.shape[:2]
    y, x = torch.arange(height) * scale / STEP, torch.arange(width) * scale / STEP
    where = torch.stack(torch.meshgrid(y / (rows - 1) * 2 - 1, x / (cols - 1) * 2 - 1, indexing="ij")[::-1], -1)
    planes = torch.from_numpy(field).permute(2, 0, 1)[None].float()
    cos2, sin2 = F.grid_sample(planes, where[None].float(), "bicubic", "border", align_corners=True)[0]
    return torch.remainder(torch.atan2(sin2, cos2) / 2, math.pi)
