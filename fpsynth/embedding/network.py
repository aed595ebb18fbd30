"""The fingerprint embedding: find the finger's pose, cut out the aligned print, describe it.

A fixed-length representation of aligned prints, after DeepPrint (Engelsma, Cao & Jain, "Learning a fixed-length
fingerprint representation", IEEE TPAMI 43(6), 2021). Here the alignment is not learnt through a spatial transformer but
from the true pose of virtual prints, and what is described is the contrast-normalised image.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PPI = 250
SIZE = 256
"""Pixels along a side of the whole image that the pose is looked for in (26 mm)."""
CROP = (192, 160)
"""Height and width of the aligned print (19.5 x 16.3 mm)."""
CELL = 8
"""Pixels along a cell of the local features, and of the minutiae map that is learnt from them."""
DIRECTIONS = 6
WIDTHS = (32, 64, 128, 192)
GROUPS = 8
STEP = (16.0, 16.0, 0.2)
"""Unit of a pose's error: pixels, pixels, radians."""
CORRECTIONS = 2
WINDOW = 17
"""Pixels of the window over which contrast is normalised: about four ridges."""


def aligned(whole: Tensor, pose: Tensor) -> Tensor:
    """Cut the print out of whole (B, 1, H, W) upright and centred: (B, 1, 192, 160).

    pose (B, 3): x, y of the finger's centre in pixels, and the angle in radians by which the finger is turned (from +x
    towards +y, which is down).
    """
    height, width = CROP
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    across, along = x.to(pose)[None], y.to(pose)[None]
    cos, sin = (f(pose[:, 2])[:, None, None] for f in (torch.cos, torch.sin))
    column = pose[:, 0, None, None] + cos * across - sin * along
    row = pose[:, 1, None, None] + sin * across + cos * along
    where = torch.stack([column * 2 / (whole.shape[3] - 1) - 1, row * 2 / (whole.shape[2] - 1) - 1], -1)
    return F.grid_sample(whole, where, mode="bilinear", padding_mode="zeros", align_corners=True)


class Block(nn.Module):
    """Two normalised convolutions around which the input passes (He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Step(width, width), Step(width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(self.first(x))
        return out


class Step(nn.Sequential):
    """Convolution, group normalisation, SiLU."""

    def __init__(self, inside: int, out: int, stride: int = 1) -> None:
        convolution = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        super().__init__(convolution, nn.GroupNorm(GROUPS, out), nn.SiLU())


class Stem(nn.Sequential):
    """The first convolution; what comes in is normalised already."""

    def __init__(self, out: int) -> None:
        super().__init__(nn.Conv2d(1, out, 5, 2, 2), nn.SiLU())


class PoseNetwork(nn.Module):
    """Normalised whole images (B, 1, 256, 256) -> (B, 4): centre from the middle, in half sizes; cosine and sine."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Stem(32), Step(32, 64, 2), Step(64, 64, 2), Step(64, 128, 2), Step(128, 128, 2), nn.Conv2d(128, 16, 1)
        )
        self.head = nn.Linear(16 * (SIZE // 32) ** 2, 4)

    def forward(self, whole: Tensor) -> Tensor:
        out: Tensor = self.head(F.silu(self.body(whole)).flatten(1))
        return out


def pose_of(estimate: Tensor) -> Tensor:
    """The pose network's output as a pose (B, 3), see `aligned`."""
    estimate = estimate.float()
    centre = (estimate[:, :2] + 1) * (SIZE - 1) / 2
    return torch.cat([centre, torch.atan2(estimate[:, 3], estimate[:, 2])[:, None]], 1)


class PrintNetwork(nn.Module):
    """Aligned prints (B, 1, 192, 160) -> local features (B, 128, 24, 20) -> unit vectors (B, size), or how far off the
    pose was at which they were cut out."""

    def __init__(self, size: int = 192) -> None:
        super().__init__()
        stem, one, two, three = WIDTHS
        self.early = nn.Sequential(
            Stem(stem), Step(stem, one, 2), Block(one), Block(one), Step(one, two, 2), Block(two), Block(two)
        )
        self.late = nn.Sequential(Step(two, three, 2), Block(three), nn.Conv2d(three, 16, 1))
        cells = CROP[0] // 16 * (CROP[1] // 16)
        self.head = nn.Linear(16 * cells, size)
        local = CROP[0] // CELL * (CROP[1] // CELL)
        self.off = nn.Sequential(nn.Conv2d(two, 16, 1), nn.SiLU(), nn.Flatten(), nn.Linear(16 * local, 3))

    def features(self, crop: Tensor) -> Tensor:
        """Local features on a grid of 8 pixels."""
        grid: Tensor = self.early(crop)
        return grid

    def describe(self, features: Tensor) -> Tensor:
        """Unit vectors of local features."""
        return F.normalize(self.head(self.late(features).flatten(1)).float(), dim=1)


def corrected(pose: Tensor, off: Tensor) -> Tensor:
    """A pose (B, 3) and how far off it is (B, 3), as `PrintNetwork.off` tells -> the better pose.

    off: where the true centre lies in the aligned print, from its middle, and the angle missing, in units of STEP.
    """
    across, along, turn = (off.float() * pose.new_tensor(STEP)).unbind(1)
    cos, sin = pose[:, 2].cos(), pose[:, 2].sin()
    centre = torch.stack([cos * across - sin * along, sin * across + cos * along], 1)
    return torch.cat([pose[:, :2] + centre, (pose[:, 2] + turn)[:, None]], 1)


class EmbeddingNetwork(nn.Module):
    """Both networks together: whole images in, unit vectors out."""

    def __init__(self, size: int = 192) -> None:
        super().__init__()
        self.pose, self.print = PoseNetwork(), PrintNetwork(size)

    def forward(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised whole images (B, 1, 256, 256) -> identity (B, size), texture (B, 128): the mean local feature."""
        features = self._features(whole, self.find(whole))
        return self.print.describe(features), features.float().mean((2, 3))

    def find(self, whole: Tensor) -> Tensor:
        """The pose (B, 3): a first estimate, corrected twice by what the print cut out there tells of its error."""
        pose = pose_of(self.pose(whole.to(self.print.head.weight.dtype)))
        for _ in range(CORRECTIONS):
            pose = corrected(pose, self.print.off(self._features(whole, pose)))
        return pose

    def _features(self, whole: Tensor, pose: Tensor) -> Tensor:
        return self.print.features(aligned(whole, pose).to(self.print.head.weight.dtype))
