import pytest

from fpsynth import vocabulary


def test_natural_shares_are_of_the_classes_and_sum():
    assert tuple(vocabulary.NATURAL_SHARES) == vocabulary.PATTERNS
    assert sum(vocabulary.NATURAL_SHARES.values()) == pytest.approx(1)


def test_finger_positions_are_iso_codes():
    assert vocabulary.FINGERS.index("right_thumb") == 1
    assert vocabulary.FINGERS.index("left_little") == 10
