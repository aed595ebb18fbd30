"""A critic of prints, which tells drawn ones from the bank's, and what both sides make small over it.

It sees pixels beside the control planes and the words, patch by patch (Isola et al., pix2pix, 2017), and compares a
print with the bank's of the same planes and words, held by both gradient penalties (Huang et al., R3GAN, 2024,
equations 3 to 5).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (32, 64, 128, 128)
"""Channels of the critic, which halves the picture as often: each score sees 46 pixels."""
FINE = 8.0
"""Grain is a tenth of what ridges are: it is shown as much larger, on its own, beside the picture."""


class Critic(nn.Module):
    """Scores patches of a picture under its control planes, and under its words by a projection (Miyato 2018)."""

    def __init__(self, planes: int, words: int) -> None:
        """words: width of what the words come to."""
        super().__init__()
        convs = [nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise((2 + planes, *WIDTHS))]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, 0.2)
        self.body = nn.Sequential(*(nn.Sequential(conv, nn.LeakyReLU(0.2)) for conv in convs))
        self.head = nn.Conv2d(WIDTHS[-1], 1, 1)
        self.asked = nn.Linear(words, WIDTHS[-1])

    def forward(self, picture: Tensor, planes: Tensor, words: Tensor) -> Tensor:
        """(B, 1, H, W), (B, P, H, W), (B, words) -> scores (B, 1, H / 16, W / 16), float32."""
        fine = FINE * (picture - F.avg_pool2d(picture, 3, 1, 1, count_include_pad=False))
        seen = self.body(torch.cat([picture, fine, planes], 1))
        fits = (seen * self.asked(words)[:, :, None, None]).mean(1, keepdim=True)
        scores: Tensor = (self.head(seen) + fits).float()
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
        return F.softplus(real - self._scores(shown, shown.drawn)).mean()

    def verdict(self, shown: Shown, penalty: float) -> tuple[Tensor, Mapping[str, float]]:
        """What the critic is to make small, with a penalty on its slopes, and by how much it tells the two apart."""
        real, steep = self._slopes(shown, shown.real)
        drawn, steeper = self._slopes(shown, shown.drawn)
        apart = real - drawn
        loss = F.softplus(-apart).mean() + penalty / 2 * (steep + steeper)
        return loss, {"apart": float(apart.detach().mean()), "slopes": float((steep + steeper).detach())}

    def _scores(self, shown: Shown, picture: Tensor) -> Tensor:
        dtype = self.critic.head.weight.dtype
        scores: Tensor = self.critic(picture.to(dtype), shown.planes.to(dtype), shown.words.to(dtype))
        return scores

    def _slopes(self, shown: Shown, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and the mean square of their slopes by the picture (R1, R2)."""
        picture = picture.clone().requires_grad_()
        scores = self._scores(shown, picture)
        (slope,) = torch.autograd.grad(scores.sum(), picture, create_graph=True)
        return scores, slope.square().sum() / scores.numel()
