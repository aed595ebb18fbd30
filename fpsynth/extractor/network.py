"""The ridge network: from a print as a sensor gave it back to the ridges that touched it.

It undoes what captures and sensors do, learnt from virtual prints, whose ridges are known: a U-Net (Ronneberger,
Fischer & Brox, MICCAI 2015) that says of each pixel how likely a ridge is there, and how likely skin touched. As
FingerNet (Tang et al., IJCB 2017) does with orientations and filters, but in one piece.
"""

from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fpsynth.errors import DamagedFile
from fpsynth.extractor.contrast import normalised

WEIGHTS = "model.safetensors"
WINDOW = 33
"""Pixels over which contrast is made even: about four ridges at 500 ppi."""
CELL = 2
"""Pixels along a side of the blocks that the first layer sees as one."""
WIDTHS = (32, 48, 64, 64)
MULTIPLE = CELL * 2 ** (len(WIDTHS) - 1)
"""Pixels: sides must be multiples of it."""
STEEP = 3.0
"""Of a ridge wave in [-1, 1], 1 + tanh(STEEP wave) halved is how likely a ridge is said to be: only the edges of ridges
are in doubt."""


class Block(nn.Module):
    """x + two convolutions of x. No norms: what is far away changes nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(F.silu(self.first(F.silu(x))))
        return out


class RidgeNetwork(nn.Module):
    """Grey levels -> ridges and contact."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Conv2d(2 * CELL**2, WIDTHS[0], 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(WIDTHS))
        self.before = nn.ModuleList(map(Block, WIDTHS))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(WIDTHS))
        self.after = nn.ModuleList(map(Block, WIDTHS))
        self.out = nn.Conv2d(WIDTHS[0], 2 * CELL**2, 3, 1, 1)

    def forward(self, grey: Tensor) -> Tensor:
        """grey (B, 1, H, W) in [0, 255], ridges dark -> (B, 2, H, W): log odds of a ridge, and of contact.

        Sides must be multiples of 16.
        """
        seen = torch.cat([normalised(grey, WINDOW), grey / 127.5 - 1], 1).to(self.out.weight.dtype)
        x = self.into(F.pixel_unshuffle(seen, CELL).contiguous(memory_format=torch.channels_last))
        skips: list[Tensor] = []
        for level, block in enumerate(self.before):
            x = block(x if level == 0 else self.down[level - 1](x))
            skips.append(x)
        x = self.after[-1](skips.pop())
        for join, block in zip(reversed(self.up), reversed(self.after[:-1]), strict=True):
            x = block(skips.pop() + F.interpolate(join(x), scale_factor=2.0, mode="nearest"))
        return F.pixel_shuffle(self.out(F.silu(x)), CELL).float()


def default_extractor() -> Path:
    """The bundled network's folder."""
    return Path(__file__).parent.parent / "weights" / "extractor"


@cache
def extractor_digest() -> str:
    """SHA-256 of the bundled weights: what is seen in a print depends on them."""
    return sha256((default_extractor() / WEIGHTS).read_bytes()).hexdigest()


def save_network(folder: Path, network: RidgeNetwork) -> None:
    """Write the weights in fp16."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, folder / WEIGHTS)


@cache
def load_network(folder: Path) -> RidgeNetwork:
    """A network that `fpsynth train extractor` wrote. Raises DamagedFile for what cannot be read."""
    network = RidgeNetwork()
    try:
        network.load_state_dict({key: value.float() for key, value in load_file(folder / WEIGHTS).items()})
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise DamagedFile(f"{folder}: not a ridge network: {' '.join(str(error).split())[:200]}") from None
    return network.eval().requires_grad_(False)
