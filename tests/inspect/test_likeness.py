"""The fast screen finds what looking at every pair finds."""

from itertools import combinations

import numpy as np
import pytest

from fpsynth.inspect.measure import likeness
from fpsynth.inspect.measure.matching import tuples


@pytest.fixture
def vectors():
    drawn = np.random.default_rng(1).standard_normal((90, 8)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_closest_strangers_are_those_of_all_pairs(vectors, monkeypatch):
    monkeypatch.setattr(likeness, "BLOCK", 17)
    owner = np.arange(90) // 3
    every = [(a, b) for a, b in combinations(range(90), 2) if owner[a] != owner[b]]
    every.sort(key=lambda pair: -float(vectors[pair[0]] @ vectors[pair[1]]))
    assert tuples(likeness.closest_strangers(vectors, owner, 40)) == every[:40]
    assert set(tuples(likeness.closest_strangers(vectors, owner, 10**6))) == set(every)


def test_nearest_are_those_of_a_full_search(vectors, monkeypatch):
    monkeypatch.setattr(likeness, "BLOCK", 13)
    found = likeness.nearest(vectors[:40], vectors[40:], 4)
    for i in range(40):
        assert found[i].tolist() == sorted(range(50), key=lambda k: -float(vectors[i] @ vectors[40 + k]))[:4]
