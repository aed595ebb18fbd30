"""Shares behind probabilities: planted ones come back, within their interval."""

import numpy as np
import pytest

from fpsynth.inspect.measure.prior import Share, estimated, found_shares, whole

WORDS = ("a", "b", "c", "d")
PLANTED = np.array([0.6, 0.25, 0.1, 0.05])


def told(shares: np.ndarray, count: int, seed: int, clearness: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Words, and what a perfectly calibrated reader that learnt even shares says of them."""
    rng = np.random.default_rng(seed)
    words = rng.choice(len(shares), count, p=shares)
    seen = np.eye(len(shares))[words] * clearness + rng.normal(size=(count, len(shares)))
    odds = np.exp(clearness * seen)
    return words, odds / odds.sum(1, keepdims=True)


def test_planted_shares_lie_in_their_intervals() -> None:
    even = np.full(4, 0.25)
    hits = []
    for seed in range(12):
        _, table = told(PLANTED, 400, seed)
        found = estimated(table, WORDS, even, np.arange(400))
        hits += [found[word].low <= share <= found[word].high for word, share in zip(WORDS, PLANTED, strict=True)]
    assert np.mean(hits) > 0.85


def test_nearer_than_counting_the_likeliest_words() -> None:
    words, table = told(PLANTED, 3000, 1, clearness=1.2)
    true = np.bincount(words, minlength=4) / 3000
    counted = np.bincount(table.argmax(1), minlength=4) / 3000
    found = found_shares(table, np.full(4, 0.25))
    assert np.abs(found - true).max() < 0.5 * np.abs(counted - true).max()


def test_images_of_a_finger_are_drawn_together() -> None:
    _, table = told(PLANTED, 60, 3)
    repeated, even = np.repeat(table, 10, axis=0), np.full(4, 0.25)

    def width(owner: np.ndarray) -> float:
        share = estimated(repeated, WORDS, even, owner)["a"]
        return share.high - share.low

    assert width(np.repeat(np.arange(60), 10)) > 2 * width(np.arange(600))


@pytest.mark.parametrize("values", [(1 / 3, 1 / 3, 1 / 3), (0.995, 0.005), (0.4949, 0.4949, 0.0102), (1.0,)])
def test_written_shares_are_hundredths_that_sum_to_one(values: tuple[float, ...]) -> None:
    shares = whole({str(i): Share(value, 0, 1) for i, value in enumerate(values)})
    assert round(sum(shares.values()), 12) == 1 and all(share >= 0.01 for share in shares.values())
    assert all(round(100 * share, 9).is_integer() for share in shares.values())
