"""What belongs to a finger besides its ridges: pores, ridge edges, creases, scars, incipient ridges.

All of it is drawn once and moves with the skin, in the unit of the ridge wave, to be added to it. Pores lie on the
crests about a ridge period apart (Ashbaugh, "Quantitative-Qualitative Friction Ridge Analysis", 1999); incipient
ridges are thin, broken and lie in the valleys.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.finger.fields import smooth_noise

CREST, SOFT_CREST = 0.8, 12.0
"""Pores lie where the wave is higher, fully so 1 / SOFT_CREST higher."""
PORE_SPACINGS = (11, 13, 15, 17)
"""Pixels at 500 ppi, odd: 18 to 12 pores a centimetre of ridge; 9 to 18 after Ashbaugh."""
CREASES = 4.0
"""Mean count of thin creases of a fingertip; between fingers it is spread as age and work are (exponential)."""
MOST_CREASES = 24
DEEPEST = -1.6
"""Of the detail: a crease in a valley."""


def draw_detail(rng: np.random.Generator, wave: Tensor) -> Tensor:
    """(H, W) float32, about [-1.6, .6], 0 where there is nothing."""
    detail = _edges(rng, wave) + _pores(rng, wave) + _incipient(rng, wave) + _creases(rng, wave)
    return detail.clamp(DEEPEST, 0.6)


def _edges(rng: np.random.Generator, wave: Tensor) -> Tensor:
    """Roughness of the ridge edges and unevenness of the ridge height, fine and medium."""
    height, width = wave.shape
    fine = smooth_noise(rng, height, width, 3.2, wave.device)
    medium = smooth_noise(rng, height, width, 9.0, wave.device)
    strength = float(rng.uniform(0.06, 0.16))
    return strength * fine + 0.7 * strength * medium


def _pores(rng: np.random.Generator, wave: Tensor) -> Tensor:
    """Round pits in a row on the crests; their spacing, width and depth are the finger's own."""
    height, width = wave.shape
    top = ((wave - CREST) * SOFT_CREST).clamp(0, 1)
    chance = torch.from_numpy(rng.random((height, width), dtype=np.float32)).to(wave.device) * top
    spacing = int(rng.choice(PORE_SPACINGS))
    across = F.max_pool2d(chance[None, None], (1, spacing), 1, (0, spacing // 2))
    spread = F.max_pool2d(across, (spacing, 1), 1, (spacing // 2, 0))[0, 0]  # local maxima, about a spacing apart
    seeds = ((chance == spread) & (chance > 0)) * top  # without a threshold, so that a last bit of wave moves no pore
    depth = torch.from_numpy(rng.gamma(4.0, 0.25, (height, width)).astype(np.float32)).to(wave.device)
    pits = _blurred(seeds * depth, float(rng.uniform(0.9, 1.3)))
    return -float(rng.uniform(1.2, 4.5)) * pits


def _blurred(plane: Tensor, sigma: float) -> Tensor:
    reach = math.ceil(3 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=plane.device) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    out = F.conv2d(plane[None, None], kernel[None, None, None, :], padding=(0, reach))
    return F.conv2d(out, kernel[None, None, :, None], padding=(reach, 0))[0, 0]


def _incipient(rng: np.random.Generator, wave: Tensor) -> Tensor:
    """Thin broken ridges in some of the valleys of some fingers."""
    height, width = wave.shape
    if rng.random() > 0.3:
        return torch.zeros_like(wave)
    where = torch.sigmoid(4 * (smooth_noise(rng, height, width, 60, wave.device) - rng.uniform(0.8, 1.4)))
    broken = torch.sigmoid(3 * smooth_noise(rng, height, width, 5, wave.device))
    return float(rng.uniform(0.6, 1.1)) * where * broken * (-wave - 0.75).clamp_min(0) * 4


def _creases(rng: np.random.Generator, wave: Tensor) -> Tensor:
    """White lines: the flexion crease below, thin creases at all angles, half of them along one; rarely a scar."""
    out, main = _flexion(rng, wave), rng.uniform(0, math.pi)
    for _ in range(min(int(rng.poisson(rng.exponential(CREASES))), MOST_CREASES)):
        angle = rng.normal(main, 0.3) if rng.random() < 0.5 else rng.uniform(0, math.pi)
        long = 8 + min(rng.exponential(22), 100)
        _engrave(out, rng, float(angle), float(rng.uniform(0.6, 1.3)), float(long))
    if rng.random() < 0.06:
        _engrave(out, rng, float(rng.normal(0.1, 0.9)), float(rng.uniform(2.0, 3.5)), float(rng.uniform(50, 120)))
    return out


def _grid(like: Tensor) -> tuple[Tensor, Tensor]:
    rows, cols = (torch.arange(n, dtype=torch.float32, device=like.device) for n in like.shape)
    y, x = torch.meshgrid(rows, cols, indexing="ij")
    return y, x


def _flexion(rng: np.random.Generator, like: Tensor) -> Tensor:
    """The crease between the fingertip and the next phalanx: one to three broad, wavy, level lines."""
    height, width = like.shape
    y, x = _grid(like)
    out = torch.zeros_like(like)
    base = rng.uniform(0.81, 0.87) * height
    for _ in range(int(rng.integers(1, 4))):
        level = base + rng.normal(0, 9) + rng.normal(0, 0.05) * (x - width / 2)
        wander = 3.5 * smooth_noise(rng, 1, width, 45, like.device)[0]
        wide = rng.uniform(2.2, 4.5) * (1 + 0.3 * smooth_noise(rng, 1, width, 25, like.device)[0]).clamp_min(0.3)
        out = torch.minimum(out, -1.6 * torch.exp(-0.5 * ((y - level - wander) / wide) ** 2))
    return out


def _engrave(out: Tensor, rng: np.random.Generator, angle: float, sigma: float, half: float) -> None:
    """Cut one white line into out (H, W): a slightly bent stroke of +-half pixels that fades at its ends."""
    height, width = out.shape
    cx, cy = int(rng.uniform(120, width - 120)), int(rng.uniform(120, height - 150))
    reach = int(half) + 24
    top, left = max(cy - reach, 0), max(cx - reach, 0)
    window = out[top : cy + reach, left : cx + reach]
    y, x = _grid(window)
    x, y = x + (left - cx), y + (top - cy)
    along = x * math.cos(angle) + y * math.sin(angle)
    across = -x * math.sin(angle) + y * math.cos(angle)
    bend = float(rng.normal(0, 0.0012)) * along**2 + torch.sin(along / float(rng.uniform(8, 20)))
    fade = torch.sigmoid((half - along.abs()) / 5)
    depth = float(rng.uniform(0.6, 1.6))
    window.copy_(torch.minimum(window, -depth * fade * torch.exp(-0.5 * ((across - bend) / sigma) ** 2)))
