"""What a model is told of an image: of one, and of a batch as tensors. Nothing here is encoded yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fpsynth.conditioning.style import STYLE_SIZE, style_pixels
from fpsynth.minutiae import Minutia


@dataclass(frozen=True)
class Style:
    """A style image: its name, and (h, w) uint8."""

    name: str
    image: Tensor


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """All that one image is made from; its row says the same.

    planes      name -> (H, W) float32 in [0, 1]
    prompt      the words
    styles      images whose look it takes on, none or more
    minutiae    that are to be in it, in image pixels
    background  images whose look what lies outside the contact takes on instead; none: that of all of it
    contact     (H, W) float32 in [0, 1], where there is a background
    """

    planes: Mapping[str, Tensor]
    prompt: str
    styles: tuple[Style, ...] = ()
    minutiae: tuple[Minutia, ...] = ()
    background: tuple[Style, ...] = ()
    contact: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """A batch.

    planes         (B, P, H, W) float32 in [0, 1]
    prompts        one an image
    style          (B, n, 3, S, S) float32 in [-1, 1], n style images of each image
    styled         (B, n) bool, False where there is no such image
    heard          (B,) bool, False where the planes are not to be heard; None: all are
    control_scale  how strongly the planes act
    style_scale    how strongly the style images act
    """

    planes: Tensor
    prompts: tuple[str, ...]
    style: Tensor
    styled: Tensor
    heard: Tensor | None = None
    control_scale: float = 1.0
    style_scale: float = 1.0

    def unguided(self) -> "Conditions":
        """The same without words and style (Ho & Salimans 2022)."""
        return replace(self, prompts=("",) * len(self.prompts), styled=torch.zeros_like(self.styled))


def batched(
    each: Sequence[Conditioning], planes: Sequence[str], control_scale: float = 1.0, style_scale: float = 1.0
) -> Conditions:
    """The conditions of a batch of images of one size; planes: those that the model understands, in its order."""
    style, styled = _styles([one.styles for one in each])
    return Conditions(
        planes=torch.stack([torch.stack([one.planes[name] for name in planes]) for one in each]),
        prompts=tuple(one.prompt for one in each),
        style=style,
        styled=styled,
        control_scale=control_scale,
        style_scale=style_scale,
    )


def _styles(each: Sequence[Sequence[Style]]) -> tuple[Tensor, Tensor]:
    """(B, n, 3, S, S) and (B, n). All images that have style images have the same number: n, at least 1."""
    counts = {len(styles) for styles in each if styles} or {1}
    if len(counts) > 1:
        raise ValueError(f"images of one batch have {sorted(counts)} style images")
    most = max(counts)
    style = torch.zeros(len(each), most, 3, STYLE_SIZE, STYLE_SIZE)
    styled = torch.zeros(len(each), most, dtype=torch.bool)
    for row, styles in enumerate(each):
        for place, one in enumerate(styles):
            style[row, place], styled[row, place] = style_pixels(one.image), True
    return style, styled
