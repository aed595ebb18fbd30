"""Noise that follows the ridges lies along their flow, whatever its bearing, and is the same alone as in a batch."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.grained import flow, grained


def _ridges(angle: float, size: int = 192) -> Tensor:
    """(size, size): straight ridges of 9 pixels at this angle, counter-clockwise from +x (y is down)."""
    y, x = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    return torch.cos(2 * math.pi / 9 * (x * math.sin(angle) + y * math.cos(angle)))


def _chance(*seeds: int) -> Chance:
    return Chance.of([np.random.default_rng(seed) for seed in seeds], torch.device("cpu"))


def _correlation(noise: Tensor, across: float, down: float) -> float:
    moved = torch.roll(noise, (-round(down), -round(across)), (0, 1))
    inner = slice(20, -20)
    return float((noise * moved)[inner, inner].mean() / noise[inner, inner].var())


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.2, 1.9, 2.6, 3.0])
def test_noise_lies_along_the_flow(angle: float) -> None:
    ridges = _ridges(angle)[None]
    noise = grained(_chance(3), flow(ridges), ridges, 7.0, 1.5)[0]
    along = _correlation(noise, 6 * math.cos(angle), -6 * math.sin(angle))
    across = _correlation(noise, 6 * math.sin(angle), 6 * math.cos(angle))
    assert along > 0.5 > 0.3 > across
    assert 0.7 < float(noise.std()) < 1.2


def test_a_batch_is_what_each_is_alone() -> None:
    ridges = torch.stack([_ridges(0.4), _ridges(2.0)])
    both = grained(_chance(1, 2), flow(ridges), ridges, 1.7, 3.2)
    alone = [grained(_chance(seed), flow(own[None]), own[None], 1.7, 3.2)[0] for seed, own in enumerate(ridges, 1)]
    assert torch.equal(both, torch.stack(alone))


def test_even_skin_and_odd_sizes_have_finite_noise() -> None:
    flat = torch.zeros(1, 101, 75)
    noise = grained(_chance(1), flow(flat), flat, 7.0, 1.5)
    assert noise.shape == flat.shape and bool(noise.isfinite().all())
