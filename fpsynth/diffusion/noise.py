"""Who shares which noise: the initial noise and the noise injected at each step, per identity and per impression.

K-step noise sharing after Diff-Palm (Jin et al., CVPR 2025): with K > 0 all impressions of an identity start from the
same noise, and in K of the S steps (the last, low-noise ones; or the first) they are given the same noise. Transport
after FlowPalm (Zhou et al., CVPR 2026): the shared noise moves with the skin. Here it lives on the finger's master;
every cell of an impression takes the noise of the master cell under it, and a cell that is asked twice gives another,
independent number the second time. So each impression's noise is exactly white and normal. Cells are pixels where the
codec can turn noise on pixels into noise of its latents, so that what is shared is as fine as pores; else latent cells.
Before it becomes that, noise on pixels is evened.

All numbers are drawn in float32 on the CPU, each from a generator of its own node of the seed tree.
"""

from dataclasses import dataclass

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from fpsynth.rng import Stream, integer

LAYERS = 4
"""How often a master cell can be asked."""
SLOW, TONE = 5.0, 0.011
"""Slow is what a Gaussian of this standard deviation (pixels) lets pass, far slower than ridges; and the standard
deviation of what is put in its place."""


@dataclass(frozen=True)
class Sharing:
    """steps: K of `total` steps share their noise; order: last | first; transport: skin | none."""

    steps: int
    total: int
    order: str = "last"
    transport: str = "skin"

    def shares(self, step: int) -> bool:
        """Whether the noise injected after this step (0 .. total - 1) is the identity's."""
        return step >= self.total - self.steps if self.order == "last" else step < self.steps

    @property
    def shares_start(self) -> bool:
        """Whether the initial noise is the identity's."""
        return self.steps > 0


@dataclass(frozen=True, kw_only=True)
class Node:
    """Whose noise it is. flow: (H, W, 2) master pixel under each image pixel; master: its (rows, columns)."""

    seed: int
    identity: int
    impression: int
    attempt: int
    flow: Tensor
    master: tuple[int, int]


class NoiseSource:
    """The noise of one image: `shape` (C, h, w), each cell `factor` pixels wide."""

    def __init__(self, node: Node, sharing: Sharing, shape: tuple[int, int, int], factor: int) -> None:
        self.node, self.sharing, self.shape = node, sharing, shape
        self.grid = node.master[0] // factor, node.master[1] // factor
        skin = sharing.transport == "skin"
        self.cells = skin_cells(node.flow, self.grid, factor) if skin and sharing.steps else None

    def start(self) -> Tensor:
        """The initial noise. An image that is drawn again starts from noise of its own, so that it can differ."""
        if self.sharing.shares_start and self.node.attempt == 0:
            return self._shared(Stream.LATENT_IDENTITY, 0)
        return self._own(Stream.LATENT_IMPRESSION, 0)

    def injection(self, step: int) -> Tensor:
        """The noise injected after a step."""
        if self.sharing.shares(step):
            return self._shared(Stream.NOISE_IDENTITY, step)
        return self._own(Stream.NOISE_IMPRESSION, step)

    def _own(self, stream: Stream, step: int) -> Tensor:
        node = self.node
        return normal(
            integer(node.seed, stream, node.identity, node.impression, node.attempt * 10_000 + step), self.shape
        )

    def _shared(self, stream: Stream, step: int) -> Tensor:
        seed = integer(self.node.seed, stream, self.node.identity, step)
        if self.cells is None:
            return normal(seed, self.shape)
        master = normal(seed, (self.shape[0], LAYERS * self.grid[0] * self.grid[1]))
        here = self._own(Stream.NOISE_IMPRESSION, 5000 + step)
        return torch.where(self.cells >= 0, master[:, self.cells.clamp_min(0)], here)


def normal(seed: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 numbers of this seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def evened(noise: Tensor) -> Tensor:
    """Noise on pixels (1, H, W) whose slow part is the same all over: what it would make of an even ground, clouds of
    brighter and darker, becomes the tone of the whole.
    """
    slow = torch.from_numpy(gaussian_filter(noise.numpy(), (0, SLOW, SLOW)))
    tone = noise.mean() * noise.numel() ** 0.5
    even: Tensor = noise - slow + TONE * tone
    return even


def skin_cells(flow: Tensor, grid: tuple[int, int], factor: int) -> Tensor:
    """(h, w) int64: which number of the master (layer, row, column; flattened) each cell takes, -1 for none.

    No number is taken twice: the first cell on a master cell takes its layer 0, the next its layer 1, and so on; cells
    off the master, or that come too late, take none. grid: the master's rows and columns of cells.
    """
    rows, cols = grid
    middle = flow.cpu()[factor // 2 :: factor, factor // 2 :: factor]
    col, row = (middle / factor).floor().long().unbind(-1)
    inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    cell = torch.where(inside, row * cols + col, -1).flatten()
    layer = occurrence(cell)
    taken = (cell >= 0) & (layer < LAYERS)
    return torch.where(taken, layer * rows * cols + cell, -1).view(middle.shape[:2])


def occurrence(values: Tensor) -> Tensor:
    """(n,) int64: how often each value has stood before in the list."""
    order = torch.argsort(values, stable=True)
    ordered = values[order]
    index = torch.arange(len(values))
    fresh = torch.ones_like(ordered, dtype=torch.bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    first = torch.where(fresh, index, 0).cummax(0).values
    return torch.empty_like(values).scatter_(0, order, index - first)
