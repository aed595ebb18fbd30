"""How strong a picture is along the ridges and across them, scale by scale, beside another of the same planes.

Energies of oriented bands are what a texture is first of all (Heeger & Bergen, Pyramid-based texture analysis, 1995).
What a critic taught draws less of what is random than it was shown; energies say how much less, whatever the pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SCALES = 4
"""Halvings and one: slopes between neighbouring pixels, and between means of 2, 4 and 8 of them."""
WINDOW = 64
"""Side in pixels of what is averaged over: so few of these are unlike by chance alone."""
FLOOR = 1 / 127.5**2
"""One grey level, squared: below it nothing is told apart."""
FLOW = 9
"""Pixels over which the ridges' slopes are averaged for their direction."""


def unlike(picture: Tensor, other: Tensor, ridges: Tensor) -> Tensor:
    """How far the strengths of two pictures are apart, in the mean of scales and directions.

    picture, other (B, 1, H, W) in [-1, 1], ridges (B, 1, H, W): the control plane of both -> scalar. Sides must be
    multiples of WINDOW.
    """
    flow = flow_of(ridges)
    pairs = zip(_strengths(picture, flow), _strengths(other, flow), strict=True)
    return torch.stack([(a - b).mean((1, 2, 3)).abs().mean() for a, b in pairs]).mean()


def flow_of(ridges: Tensor) -> Tensor:
    """Cosine and sine (B, 2, H, W) of twice the angle at which ridges run, as strong as their slopes (the structure
    tensor of Bigun & Granlund, 1987)."""
    dy, dx = torch.gradient(ridges, dim=(2, 3))
    return F.avg_pool2d(torch.cat([dy * dy - dx * dx, -2 * dx * dy], 1), FLOW, 1, FLOW // 2)


def _strengths(picture: Tensor, flow: Tensor) -> list[Tensor]:
    """Roots of the mean squares of slopes along and across the flow, of windows: at each scale two of (B, 1, h, w)."""
    strengths = []
    for scale in range(SCALES):
        side = 2**scale
        dy, dx = torch.gradient(F.avg_pool2d(picture, side), dim=(2, 3))
        cosine, sine = F.avg_pool2d(flow, side).chunk(2, 1)
        angle = torch.atan2(sine, cosine) / 2
        c, s = torch.cos(angle), torch.sin(angle)
        energies = [F.avg_pool2d(slope.square(), WINDOW // side) for slope in (c * dx + s * dy, c * dy - s * dx)]
        strengths += [(energy + FLOOR).sqrt() for energy in energies]
    return strengths
