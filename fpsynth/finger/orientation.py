"""The orientation field: the zero-pole model with the curvature of the fingertip added.

theta(z) = theta_0 + 1/2 sum_i arg(z - core_i) - 1/2 sum_j arg(z - delta_j)
           + tip(z) + arch(z) + swirl(z) + legs(z) + noise(z)
(Sherlock & Monro, "A model for interpreting fingerprint topology", Pattern Recognition 26(7), 1993; the smooth terms
stand where Vizcaya & Gerhardt, Pattern Recognition 29(7), 1996, bend the singular ones.)
"""

import math

import numpy as np
import torch
from torch import Tensor

from fpsynth.finger.fields import smooth_noise
from fpsynth.finger.pattern import Layout


def orientation_field(rng: np.random.Generator, layout: Layout, height: int, width: int, scale: float) -> Tensor:
    """(height, width) float32 radians in [0, pi), ccw from +x, on a grid of `scale` master pixels a sample."""
    theta = smooth_flow(layout, height, width, scale)
    theta = theta + 0.06 * smooth_noise(rng, height, width, 110 / scale) + layout.tilt
    return torch.remainder(theta, math.pi).float()


def smooth_flow(layout: Layout, height: int, width: int, scale: float) -> Tensor:
    """(height, width) radians: the layout's field, as a finger's is on average."""
    y, x = torch.meshgrid(torch.arange(height) * scale, torch.arange(width) * scale, indexing="ij")
    theta = _singular(layout, x, y) + _fingertip(layout, x, y, width * scale) + _swirl(layout, x, y)
    return theta + _legs(layout, x, y)


def _singular(layout: Layout, x: Tensor, y: Tensor) -> Tensor:
    """Half the angles to the cores less half those to the deltas; y is turned up, as angles are counter-clockwise."""
    theta = torch.zeros_like(x)
    for px, py in layout.cores:
        theta = theta + 0.5 * torch.atan2(py - y, x - px)
    for px, py in layout.deltas:
        theta = theta - 0.5 * torch.atan2(py - y, x - px)
    return theta


def _fingertip(layout: Layout, x: Tensor, y: Tensor, width: float) -> Tensor:
    """Ridges follow the outline at the top, run level at the crease, and bump in the middle of an arch."""
    centre_x, centre_y = _centre(layout, width)
    level = torch.sigmoid((centre_y + 130 - y) / 50)  # 1 at the tip, 0 below the deltas
    side = (x - centre_x) / 150
    tip = -layout.tip * torch.tanh(side) * level
    ridge = torch.exp(-0.5 * ((y - centre_y - 60) / 130) ** 2)
    arch = -layout.arch * 2.1 * side / 0.55 * torch.exp(-0.5 * (side / 0.55) ** 2) * ridge
    return tip + arch


def _swirl(layout: Layout, x: Tensor, y: Tensor) -> Tensor:
    """Turns the flow around the middle of two cores."""
    if len(layout.cores) != 2:
        return torch.zeros_like(x)
    (ax, ay), (bx, by) = layout.cores
    reach = 35 + 0.8 * math.hypot(ax - bx, ay - by)
    square = (x - (ax + bx) / 2) ** 2 + (y - (ay + by) / 2) ** 2
    return layout.swirl * torch.exp(-0.5 * square / reach**2)


def _legs(layout: Layout, x: Tensor, y: Tensor) -> Tensor:
    """Turns the legs of a loop to run down the finger, as they do, before they leave to the side."""
    if layout.leg == 0:
        return torch.zeros_like(x)
    core_x, core_y = layout.cores[0]
    return -layout.leg * torch.exp(-0.5 * (((x - core_x) / 130) ** 2 + ((y - core_y - 80) / 70) ** 2))


def _centre(layout: Layout, width: float) -> tuple[float, float]:
    if not layout.cores:
        return width / 2, 300.0
    xs, ys = zip(*layout.cores, strict=True)
    return sum(xs) / len(xs), sum(ys) / len(ys)
