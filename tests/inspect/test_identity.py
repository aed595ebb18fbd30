"""Uniqueness, consistency and diversity of planted vectors and scores, whose values are known."""

import numpy as np

from fpsynth.inspect.measure.identity import FINGERS, by_scores, by_vectors, cover, diversity
from fpsynth.inspect.measure.matching import Pairs, Scores

NONE = np.zeros(1)


def directions(*angles: float) -> np.ndarray:
    """Unit vectors in the plane at these angles in degrees."""
    turn = np.deg2rad(angles)
    return np.stack([np.cos(turn), np.sin(turn)], 1)


def scores(mated, non_mated, owner):
    """Scores of {(image, image): score}."""
    pairs = (np.array(list(own), np.int64).reshape(-1, 2) for own in (mated, non_mated))
    values = (np.array(list(own.values()), float) for own in (mated, non_mated))
    return Scores(Pairs(*pairs, len(mated), len(non_mated)), *values, np.array(owner))


def test_a_cover_keeps_what_is_far_from_all_that_is_kept():
    # 25 is near 0, and so not kept; 50 is near 25 alone, and so kept
    assert cover(directions(0, 25, 50, 90, 200), np.cos(np.deg2rad(30))) == [0, 2, 3, 4]
    assert cover(directions(0, 25, 50, 90, 200), np.cos(np.deg2rad(20))) == [0, 1, 2, 3, 4]


def test_vectors_with_a_planted_duplicate():
    eye, owner = np.repeat(np.eye(8), 3, axis=0), np.repeat(np.arange(8), 3)
    told = by_vectors(eye, owner, NONE)
    assert (told.uniqueness.value, told.consistency.value) == (1.0, 1.0)
    assert (told.uniqueness.identities, told.consistency.images) == (8, 24)
    eye[owner == 5] = eye[owner == 2]
    told = by_vectors(eye, owner, np.array([0.1, 0.95, 0.85, 0.2]))
    assert (told.uniqueness.value, told.consistency.value) == (7 / 8, 1.0)
    assert (told.uniqueness.false_match, told.consistency.false_match, told.non_mated) == (0.25, 0.5, 4)


def test_vectors_of_mislabelled_images():
    """Images of other fingers match nothing of their own; the others still do, two to one (a cosine of .89)."""
    eye, owner = np.repeat(np.eye(5), 4, axis=0), np.repeat(np.arange(5), 4)
    eye[0], eye[7] = np.eye(5)[3], np.eye(5)[4]
    told = by_vectors(eye, owner, NONE)
    assert told.consistency.value == 18 / 20 and told.uniqueness.value == 1.0


def test_single_images_tell_of_uniqueness_alone():
    told = by_vectors(np.eye(4), np.arange(4), NONE)
    assert told.uniqueness.value == 1.0 and told.consistency is None


def test_scores_with_a_duplicate_and_a_mislabelled_image():
    """Four identities of two images; 3 is 1 again, and image 5 matches nothing."""
    owner = [0, 0, 1, 1, 2, 2, 3, 3]
    mated = {(0, 1): 90, (2, 3): 80, (4, 5): 12, (6, 7): 40}
    other = {(a, b): 5 for a in range(8) for b in range(a + 1, 8) if owner[a] != owner[b]} | {(3, 6): 55}
    told = by_scores(scores(mated, other, owner), 40)
    assert (told.uniqueness.value, told.uniqueness.identities, told.uniqueness.of) == (3 / 4, 4, 4)
    assert (told.consistency.value, told.consistency.images) == (6 / 8, 8)
    assert told.uniqueness.false_match == float(f"{1 / 24:.3g}")


def test_scores_stand_on_identities_that_were_all_compared():
    owner = [0, 1, 2, 3]
    every = {(a, b): 5 for a in range(4) for b in range(a + 1, 4)}
    missing = {pair: score for pair, score in every.items() if pair != (1, 2)}
    told = by_scores(scores({}, missing, owner), 40)
    assert (told.uniqueness.identities, told.uniqueness.of) == (3, 4) and told.consistency is None
    assert by_scores(scores({}, {(0, 1): 5, (2, 3): 5}, owner), 40).uniqueness.identities == 2
    assert by_scores(scores({}, {(0, 3): 5}, [0, 1, 2, 3, 4]), 40).uniqueness is None


def test_diversity_of_copies_is_nothing_and_of_one_cloud_is_all():
    rng, owner = np.random.default_rng(0), np.repeat(np.arange(6), 8)
    copies = np.repeat(rng.standard_normal((6, 4)), 8, axis=0)
    assert diversity(copies, owner).value == 0.0
    assert diversity(np.zeros((48, 4)), owner).value == 0.0
    looks = [diversity(copies + spread * rng.standard_normal((48, 4)), owner).value for spread in (0.05, 1.0, 20.0)]
    assert 0 <= looks[0] < looks[1] < looks[2] <= 1


def test_diversity_counts_points_inside_the_balls():
    """On a line, a finger at 0, 1, 2, 3: its balls reach from -3 to 6 (k = 3), and hold half of the other's points."""
    points = np.array([0, 1, 2, 3, -2.9, 5.9, 6.1, 9.0])[:, None]
    told = diversity(points, np.array([0, 0, 0, 0, 1, 1, 1, 1]))
    # the other finger's balls: 11.9 about -2.9, 8.8 about 5.9 and so on hold all
    assert told.value == (0.5 + 1) / 2 and told.fingers == 2


def test_diversity_needs_four_impressions_and_looks_at_some_fingers():
    assert diversity(np.zeros((6, 2)), np.array([0, 0, 0, 1, 1, 1])) is None
    points = np.random.default_rng(0).standard_normal((1600, 3))
    assert diversity(points, np.repeat(np.arange(400), 4)).fingers == FINGERS
