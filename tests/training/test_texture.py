"""How unlike two pictures are in strength, along the ridges and across them, whatever their pixels are."""

import math

import pytest
import torch

from fpsynth.training.texture import flow_of, unlike


def ridges(degrees, side=128, period=9.0):
    """(1, 1, side, side) in [0, 1]: ridges that run at this angle from the rows, clockwise on the screen."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    across = y * math.cos(math.radians(degrees)) - x * math.sin(math.radians(degrees))
    return (0.5 + 0.5 * torch.cos(2 * math.pi / period * across))[None, None]


def noise(seed, strength, side=128):
    return strength * torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("degrees", [0, 30, 80, 120])
def test_flow_is_the_ridges_direction(degrees):
    cosine, sine = flow_of(ridges(degrees))[0, :, 32:-32, 32:-32].mean((1, 2))
    apart = math.degrees(math.atan2(sine, cosine)) / 2 - degrees
    assert abs((apart + 90) % 180 - 90) < 2


def test_other_noise_of_one_strength_is_alike_and_weaker_noise_is_not():
    plane = ridges(20)
    shown = 0.6 * plane + noise(1, 0.1)
    alike, weaker, none = (float(unlike(0.6 * plane + noise(2, s), shown, plane)) for s in (0.1, 0.08, 0.0))
    assert unlike(shown, shown, plane) == 0 and 4 * alike < weaker < none / 2


def test_breaks_along_ridges_count_beside_ridges_many_times_as_strong():
    """A wave along the ridges, of a tenth of their energy: the whole picture's strength hardly tells it."""
    plane, along = ridges(0), ridges(90, period=12.0)
    broken = plane * (1 - 0.4 * along)
    scaled = plane * (broken.std() / plane.std())
    assert unlike(broken, plane, plane) > 1.3 * unlike(scaled, plane, plane)


def test_no_pixel_of_even_paper_pulls_harder_than_a_pixelwise_distance():
    """Strength as a logarithm would: on paper a run would learn of nothing else."""
    paper, plane = noise(3, 1e-3).requires_grad_(), ridges(0)
    unlike(paper, noise(4, 0.1), plane).backward()
    assert paper.grad.norm() < 2 / 128  # of the mean distance: 1 / 128
