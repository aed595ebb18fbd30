"""The finisher: from what a denoiser drew to the picture, pixel by pixel, under the same planes, words and style.

A decoder that is told the conditions again (as Zhu et al., Designing a better asymmetric VQGAN for Stable Diffusion,
2023, do for masks). The denoiser's latents are cells of 8 x 8 pixels and its answers are means of what is likely:
ridges come out soft, and the cells can be seen in even greys. Here neighbouring pixels are seen together, and a
critic's eye has decided what comes out (fpsynth.training.finisher).
"""

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from fpsynth.diffusion.bundle import read_tensors
from fpsynth.diffusion.denoiser.protocol import Told
from fpsynth.errors import DamagedFile
from fpsynth.model_folder import read_json

FOLDER, WEIGHTS, CONFIG = "finisher", "diffusion_pytorch_model.safetensors", "config.json"
WIDTHS = (16, 32, 64, 64)
WIDEST = 1024
"""Nothing in a config that is read may be more."""
STRONGEST = 4.0
"""No finisher's noise may be stirred more."""
RUN = 25
"""Pixels of a column, odd, over which its noise is averaged."""
RARE = 2.6
"""Deviations of noise: one pixel in 200 is above."""
SLOW, SLOWLY = 32, 0.3
"""Of a change that is slower than so many pixels only this share is made. Left free, training spends its time on swings
of the tone; without any of it a print whose valleys were drawn too dark could not be mended."""


@dataclass(frozen=True)
class Shape:
    """planes: number of control planes; code: width of what words and style come to; widths: channels at 1, 1/2, 1/4
    ... of the pixels; columns, specks: whether it is shown the noise's columns, and what is rare in it; stir: how much
    stronger than it learnt from the noise is that pictures are ended with: what a critic taught is evener than what it
    was taught by."""

    planes: int
    code: int
    widths: tuple[int, ...] = WIDTHS
    columns: bool = False
    specks: bool = False
    stir: float = 1.0


class Block(nn.Module):
    """x + convolutions of x, their channels scaled and shifted by the code (Perez et al., FiLM, 2018)."""

    def __init__(self, width: int, code: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)
        self.told = nn.Linear(code, 2 * width)
        for parameter in (*self.told.parameters(), self.second.weight):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(B, width, h, w), (B, code) -> as x."""
        scale, shift = self.told(code)[:, :, None, None].chunk(2, 1)
        inner = self.first(F.silu(x)) * (1 + scale) + shift
        out: Tensor = x + self.second(F.silu(inner))
        return out


class Finisher(nn.Module):
    """A small U-Net on pixels, which begins by changing nothing. No norms: a pixel depends on what is near it, and
    on the noise's columns, alone."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        widths, code = shape.widths, shape.code
        self.into = nn.Conv2d(2 + shape.planes + 2 * (shape.columns + shape.specks), widths[0], 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.before = nn.ModuleList(Block(width, code) for width in widths)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.after = nn.ModuleList(Block(width, code) for width in widths)
        self.out = nn.Conv2d(widths[0], 1, 3, 1, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, picture: Tensor, planes: Tensor, noise: Tensor, code: Tensor) -> Tensor:
        """picture (B, 1, H, W) float32, cut off at -1 and 1, planes (B, P, H, W) in [0, 1], noise (B, 1, H, W) standard
        normal, code (B, C) -> as picture. Sides must be multiples of 8 with the usual widths."""
        dtype, picture = self.into.weight.dtype, picture.clamp(-1, 1)
        seen = [picture, planes, noise, *(columns_of(noise) if self.shape.columns else ())]
        seen += specks_of(noise) if self.shape.specks else ()
        x, code = self.into(torch.cat(seen, 1).to(dtype)), code.to(dtype)
        skips: list[Tensor] = []
        for level, block in enumerate(self.before):
            x = block(x if level == 0 else self.down[level - 1](x), code)
            skips.append(x)
        x = self.after[-1](skips.pop(), code)
        for join, block in zip(reversed(self.up), reversed(self.after[:-1]), strict=True):
            x = block(skips.pop() + F.interpolate(join(x), scale_factor=2.0, mode="bilinear"), code)
        change: Tensor = self.out(F.silu(x)).float()
        return picture + change - (1 - SLOWLY) * slow(change)


def columns_of(noise: Tensor) -> tuple[Tensor, Tensor]:
    """White noise (B, 1, H, W) averaged along its columns, over RUN pixels and over all, of about unit variance again:
    many sensors read a column at a time, by cells of its own, which no convolution could draw from white noise."""
    run = F.avg_pool2d(noise, (RUN, 1), 1, (RUN // 2, 0), count_include_pad=False) * RUN**0.5
    return run, (noise.mean(2, keepdim=True) * noise.shape[2] ** 0.5).expand_as(noise)


def specks_of(noise: Tensor) -> tuple[Tensor, Tensor]:
    """Where white noise (B, 1, H, W) and its means of 2 x 2 pixels are rarely high: dots of 1, as large as these, in 0.
    What is sparse (droplets, dust, pepper) a network draws if it is shown such, and evens out if it has to make it of
    noise."""
    pairs = 2 * F.avg_pool2d(noise, 2, 1, 1)[:, :, 1:, 1:]
    dots = F.max_pool2d((pairs > RARE).to(noise.dtype), 2, 1, 1)[:, :, :-1, :-1]
    return (noise > RARE).to(noise.dtype), dots


def slow(picture: Tensor) -> Tensor:
    """What is slow in a picture (B, 1, H, W): the means of squares of SLOW pixels, with slopes between them."""
    means = F.avg_pool2d(picture, SLOW, ceil_mode=True, count_include_pad=False)
    return F.interpolate(means, size=picture.shape[2:], mode="bilinear")


def code_of(told: Told) -> Tensor:
    """What words and style images come to, these as far as they are to act: (B, C)."""
    return torch.cat([told.text.mean(1), min(told.style_scale, 1.0) * told.style.mean(1)], 1)


def save_finisher(folder: Path, finisher: Finisher) -> None:
    """Write it in fp16 into the folder `finisher` of a model directory."""
    save_network(folder / FOLDER, finisher)


def save_network(home: Path, finisher: Finisher) -> None:
    """Write it in fp16 into a folder of its own."""
    home.mkdir(parents=True, exist_ok=True)
    shape = finisher.shape
    config = {"_class_name": "Finisher", **asdict(shape)}
    (home / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file({key: value.half().contiguous() for key, value in finisher.state_dict().items()}, home / WEIGHTS)


def load_finisher(folder: Path, device: str, dtype: torch.dtype) -> Finisher | None:
    """The finisher of a model directory, or None where it has none. Raises DamagedFile for one that cannot be read."""
    home = folder / FOLDER
    return load_network(home, device, dtype) if home.is_dir() else None


def load_network(home: Path, device: str, dtype: torch.dtype) -> Finisher:
    """The finisher in a folder. Raises DamagedFile for one that cannot be read."""
    config = read_json(home / CONFIG)
    try:
        shape = Shape(
            planes=int(config["planes"]),
            code=int(config["code"]),
            widths=tuple(map(int, config["widths"])),
            columns=bool(config.get("columns", False)),
            specks=bool(config.get("specks", False)),
            stir=float(config.get("stir", 1.0)),
        )
        if max(shape.planes, shape.code, len(shape.widths), *shape.widths) > WIDEST:
            raise ValueError(f"wider than {WIDEST}")
        if not 0 <= shape.stir <= STRONGEST:
            raise ValueError(f"stir is {shape.stir}, not 0 to {STRONGEST}")
        finisher = Finisher(shape)
        finisher.load_state_dict(read_tensors(home / WEIGHTS))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DamagedFile(f"{home}: not a finisher ({str(error).splitlines()[0]})") from None
    placed: Any = finisher.eval().requires_grad_(False).to(device, dtype)
    moved: Finisher = placed.to(memory_format=torch.channels_last)
    return moved
