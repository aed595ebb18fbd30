"""A critic of prints, which tells drawn ones from the bank's, and what both sides make small over it.

It sees pixels beside the control planes and the words, patch by patch (Isola et al., pix2pix, 2017), and compares a
print with the bank's of the same planes and words, held by both gradient penalties (Huang et al., R3GAN, 2024,
equations 3 to 5). With heads on several of its scales it judges grain and shape each on its own (Karnewar & Wang,
MSG-GAN, 2020).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (32, 64, 128, 128)
"""Channels of the critic, which halves the picture as often: each score of its last head sees 46 pixels, and three
times as many with residual blocks."""
FINE = 8.0
"""Grain is a tenth of what ridges are: it is shown as much larger, on its own, beside the picture."""
SIGNS = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
"""Of the heads, picture by picture, where their slopes are added up: a Hadamard matrix, so that over four pictures the
sum's square is in the mean that of each. With equal signs a head learns to score wrongly, and so to hide how steep
another is."""


@dataclass(frozen=True)
class Eye:
    """What a critic sees with. depth: residual blocks after each halving; heads: at how many of its scales it scores,
    counted from the coarsest."""

    depth: int = 0
    heads: int = 1


class Residual(nn.Module):
    """x + convolutions of x, nothing to begin with (Zhang et al., Fixup initialization, 2019), as in R3GAN."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)
        nn.init.kaiming_normal_(first.weight, 0.2)
        nn.init.zeros_(second.weight)
        self.body = nn.Sequential(first, nn.LeakyReLU(0.2), second)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) -> as x."""
        out: Tensor = x + self.body(x)
        return out


class Critic(nn.Module):
    """Scores patches of a picture under its control planes, and under its words by a projection (Miyato 2018)."""

    def __init__(self, planes: int, words: int, eye: Eye = Eye()) -> None:
        """words: width of what the words come to."""
        super().__init__()
        convs = [nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise((2 + planes, *WIDTHS))]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, 0.2)
        levels = [(conv, nn.LeakyReLU(0.2), *(Residual(conv.out_channels) for _ in range(eye.depth))) for conv in convs]
        self.body = nn.ModuleList(nn.Sequential(*level) for level in levels)
        self.heads = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in WIDTHS[-eye.heads :])
        self.asked = nn.ModuleList(nn.Linear(words, width) for width in WIDTHS[-eye.heads :])

    def forward(self, picture: Tensor, planes: Tensor, words: Tensor) -> list[Tensor]:
        """(B, 1, H, W), (B, P, H, W), (B, words) -> float32 scores by each head, of the last (B, 1, H / 16, W / 16)."""
        fine = FINE * (picture - F.avg_pool2d(picture, 3, 1, 1, count_include_pad=False))
        seen, levels = torch.cat([picture, fine, planes], 1), []
        for level in self.body:
            seen = level(seen)
            levels.append(seen)
        return [self._scores(number, x, words) for number, x in enumerate(levels[-len(self.heads) :])]

    def _scores(self, number: int, x: Tensor, words: Tensor) -> Tensor:
        """By one head: how much like the bank's a patch is, and how well it fits the words."""
        fits = (x * self.asked[number](words)[:, :, None, None]).mean(1, keepdim=True)
        scores: Tensor = (self.heads[number](x) + fits).float()
        return scores


@dataclass(frozen=True)
class Shown:
    """Two pictures of the same planes and words: the bank's and a drawn one."""

    real: Tensor
    drawn: Tensor
    planes: Tensor
    words: Tensor

    def still(self) -> "Shown":
        """The same, without gradients to whoever drew."""
        return replace(self, drawn=self.drawn.detach())


@dataclass(frozen=True)
class Trial:
    """A critic at work."""

    critic: Critic

    def seen_through(self, shown: Shown) -> Tensor:
        """What whoever drew is to make small."""
        with torch.no_grad():
            real = self._scores(shown, shown.real)
        return _fooled(self._scores(shown, shown.drawn), real)

    def verdict(self, shown: Shown, penalty: float) -> tuple[Tensor, Mapping[str, float]]:
        """What the critic is to make small, with a penalty on its slopes, and by how much it tells the two apart."""
        real, steep = self._slopes(shown, shown.real)
        drawn, steeper = self._slopes(shown, shown.drawn)
        loss = _fooled(real, drawn) + penalty / 2 * (steep + steeper)
        apart = [float((r - d).detach().mean()) for r, d in zip(real, drawn, strict=True)]
        return loss, {"apart": sum(apart) / len(apart), "slopes": float((steep + steeper).detach())}

    def _scores(self, shown: Shown, picture: Tensor) -> list[Tensor]:
        dtype = next(self.critic.parameters()).dtype
        scores: list[Tensor] = self.critic(picture.to(dtype), shown.planes.to(dtype), shown.words.to(dtype))
        return scores

    def _slopes(self, shown: Shown, picture: Tensor) -> tuple[list[Tensor], Tensor]:
        """Scores, and the mean square of their slopes by the picture (R1, R2), over all heads."""
        picture = picture.clone().requires_grad_()
        scores = self._scores(shown, picture)
        signs = SIGNS.to(picture.device)[torch.arange(len(picture)) % len(SIGNS)]
        each = [
            (sign * score.sum((1, 2, 3))).sum() / score.numel() ** 0.5
            for sign, score in zip(signs.unbind(1), scores, strict=False)
        ]
        (slope,) = torch.autograd.grad(torch.stack(each).sum() / len(each) ** 0.5, picture, create_graph=True)
        return scores, slope.square().sum()


def _fooled(better: Sequence[Tensor], worse: Sequence[Tensor]) -> Tensor:
    """Small where every head scores the one picture higher than the other."""
    return torch.stack([F.softplus(w - b).mean() for b, w in zip(better, worse, strict=True)]).mean()
