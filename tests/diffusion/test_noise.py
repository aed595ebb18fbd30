"""Shared noise stays white and normal wherever the skin carries it."""

import numpy as np
import pytest
import torch
from scipy import stats

from fpsynth.diffusion.noise import TONE, Node, NoiseSource, Sharing, evened, normal, occurrence, skin_cells

SIZE = 256
MASTER = (704, 576)
FACTOR = 4
SHAPE = (4, SIZE // FACTOR, SIZE // FACTOR)


def flow(angle=0.0, scale=1.0, dx=0.0, dy=0.0):
    """Image pixel -> master pixel: turned, stretched and shifted about the middle."""
    y, x = torch.meshgrid(torch.arange(float(SIZE)), torch.arange(float(SIZE)), indexing="ij")
    x, y = (x - SIZE / 2) * scale, (y - SIZE / 2) * scale
    c, s = np.cos(angle), np.sin(angle)
    return torch.stack([c * x - s * y + 288 + dx, s * x + c * y + 320 + dy], -1)


def source(move, impression=0, shared=3, identity=7, transport="skin"):
    node = Node(seed=1, identity=identity, impression=impression, attempt=0, flow=move, master=MASTER)
    return NoiseSource(node, Sharing(shared, 4, "last", transport), SHAPE, FACTOR)


MOVES = {"still": flow(), "turned": flow(0.4), "stretched": flow(0.2, 0.7), "squeezed": flow(-0.3, 1.6)}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_white_and_normal(move):
    noise = torch.cat([source(move, identity=i).start() for i in range(8)])
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 1e-3
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2)):
        near = torch.roll(noise, (dy, dx), (1, 2))
        correlation = np.corrcoef(noise[:, 2:-2, 2:-2].flatten(), near[:, 2:-2, 2:-2].flatten())[0, 1]
        assert abs(correlation) < 4 / np.sqrt(noise.numel())


def test_evened_noise_has_one_tone_and_is_white_where_ridges_are():
    noise = torch.cat([normal(seed, (1, SIZE, SIZE)) for seed in range(40)])
    even = torch.cat([evened(one[None]) for one in noise])
    before, after = (torch.fft.rfft2(some).abs().square().mean(0)[: SIZE // 2, : SIZE // 2] for some in (noise, even))
    across, down = torch.meshgrid(torch.arange(SIZE // 2.0), torch.arange(SIZE // 2.0), indexing="xy")
    period = SIZE / torch.hypot(across, down)
    ratio = after / before
    assert (ratio[period < 10] - 1).abs().max() < 0.05  # ridges lie about 9 pixels apart
    assert ratio[(period > 60) & (period < SIZE)].max() < 0.1
    assert float(even.mean((1, 2)).std()) == pytest.approx(TONE, rel=0.4)
    assert abs(np.corrcoef(even.mean((1, 2)), noise.mean((1, 2)))[0, 1]) > 0.99


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_no_number_is_taken_twice(move):
    cells = skin_cells(move, (MASTER[0] // FACTOR, MASTER[1] // FACTOR), FACTOR).flatten()
    taken = cells[cells >= 0]
    assert len(taken.unique()) == len(taken) > 0.9 * len(cells)


def test_noise_moves_with_the_skin():
    """Shifted by 8 cells, two impressions share their noise after alignment, and not before it."""
    a, b = source(flow(), 0).start(), source(flow(dx=8 * FACTOR), 1).start()
    assert torch.equal(a[:, :, 8:], b[:, :, :-8])
    assert abs(np.corrcoef(a.flatten(), b.flatten())[0, 1]) < 0.05
    turned = source(flow(0.1), 1).start()
    overlap = torch.isin(turned, a).float().mean()
    assert overlap > 0.7


def test_without_transport_noise_stays():
    a, b = (source(flow(dx=8 * i), i, transport="none").start() for i in (0, 1))
    assert torch.equal(a, b)


def test_which_steps_share():
    last, first = Sharing(2, 5, "last"), Sharing(2, 5, "first")
    assert [last.shares(i) for i in range(5)] == [False, False, False, True, True]
    assert [first.shares(i) for i in range(5)] == [True, True, False, False, False]
    assert not Sharing(0, 5).shares_start and last.shares_start


def test_unshared_noise_is_the_impressions_own():
    a, b = source(flow(), 0, shared=0), source(flow(), 1, shared=0)
    for x, y in ((a.start(), b.start()), (a.injection(0), b.injection(0)), (a.start(), a.injection(0))):
        assert abs(np.corrcoef(x.flatten(), y.flatten())[0, 1]) < 0.05


def test_occurrence():
    assert occurrence(torch.tensor([5, 3, 5, 5, 3, 9])).tolist() == [0, 0, 1, 2, 1, 0]
