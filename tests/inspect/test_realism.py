"""Distances between sets, on points whose answer is known."""

import cv2
import numpy as np
import pytest

from fpsynth.errors import UserError
from fpsynth.extractor.mindtct import available
from fpsynth.inspect.measure import realism
from fpsynth.inspect.measure.judges import judge_image
from fpsynth.inspect.measure.likeness import describe
from fpsynth.inspect.measure.record import Record
from tests.inspect.population import SIDE, row


def normal(shift: float = 0.0, scale: float = 1.0, seed: int = 0, n: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (n, 4))


def test_energy_is_unbiased_and_grows_with_the_shift() -> None:
    alike = [realism.energy(normal(seed=2 * i), normal(seed=2 * i + 1)) for i in range(20)]
    assert abs(np.mean(alike)) < 0.01
    assert realism.energy(normal(), normal(0.5, seed=1)) < realism.energy(normal(), normal(1.0, seed=1))
    # one dimension, means m apart and no spread: 2 |m|
    assert realism.energy(np.zeros((5, 1)), np.full((5, 1), 3.0)) == pytest.approx(6)


def test_neighbour_test_is_a_half_for_equal_sets() -> None:
    assert realism.neighbour_test(normal(seed=1), normal(seed=2)) == pytest.approx(0.5, abs=0.06)
    assert realism.neighbour_test(normal(seed=1), normal(6, seed=2)) == 1


def test_precision_and_recall_tell_narrow_from_wide() -> None:
    wide, narrow = normal(seed=1), normal(scale=0.3, seed=2)
    assert realism.precision(narrow, wide) > 0.97 and realism.precision(wide, narrow) < 0.2
    assert realism.coverage(narrow, wide) < 0.5 < realism.coverage(normal(seed=3), wide)
    assert realism.density(normal(seed=3), wide) == pytest.approx(1, abs=0.15)


def test_frechet_distance_of_normal_clouds() -> None:
    # means m apart, deviations s and t in each of 4 dimensions: m^2 + 4 (s - t)^2
    a, b = normal(seed=1, n=4000), normal(2, 3, seed=2, n=4000)
    assert realism.frechet(a, b) == pytest.approx(4 * 2**2 + 4 * (3 - 1) ** 2, rel=0.1)
    assert realism.frechet(a, normal(seed=3, n=4000)) < 0.05


def test_kernel_distance_is_near_zero_for_equal_sets_of_any_size() -> None:
    small = [realism.kernel(normal(seed=2 * i, n=20), normal(seed=2 * i + 1, n=30)) for i in range(20)]
    assert abs(np.mean(small)) < 100 < realism.kernel(normal(), normal(1, seed=1))


def test_minutiae_distance_counts_bins() -> None:
    a, b = np.zeros((1, 100)), np.zeros((1, 100))
    a[0, 0], b[0, 3] = 1, 1
    assert realism.minutiae_distance(a, a) == pytest.approx(0)
    assert realism.minutiae_distance(a, b) == pytest.approx(3)


@pytest.fixture(scope="module")
def judged() -> list[Record]:
    return [record(i, k) for i in range(6) for k in range(3)]


def record(identity: int, impression: int, blur: bool = False) -> Record:
    image = row(identity, impression).image
    if blur:
        image = (image // 4 + 90).astype(np.uint8)
    size, name = image.shape, f"{identity}_{impression}"
    told = {"print": describe(image, 500), "judged": judge_image(image, 500, None) if available() else None}
    return Record(
        unit=0,
        number=0,
        name=name,
        identity=str(identity),
        impression=impression,
        width=size[1],
        height=size[0],
        ppi=500,
        mean=0,
        deviation=0,
        pixels=name,
        **told,
    )


@pytest.mark.skipif(not available(), reason="nbis-python is not installed")
def test_a_set_against_itself_and_against_a_pale_copy(judged: list[Record]) -> None:
    same = realism.realism(judged, judged).distances
    assert same["nfiq2"]["energy"].value <= same["nfiq2"]["energy"].yardstick_high
    for space in ("nfiq2", "embedding"):
        assert [same[space][name].value for name in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert same["embedding"]["frechet"].value == pytest.approx(0, abs=1e-3)
    assert same["minutiae"]["pairs"].value == pytest.approx(0, abs=1e-6)
    pale = [record(i, k, blur=True) for i in range(6) for k in range(3)]
    far = realism.realism(pale, judged).distances
    assert far["nfiq2"]["energy"].value > 3 * same["nfiq2"]["energy"].yardstick_high
    with pytest.raises(UserError, match="at least 16"):
        realism.realism(judged, judged[:9])


def test_texture_tells_blurred_prints_from_sharp_ones_without_judges() -> None:
    def prints(first: int, blur: float) -> list[Record]:
        images = [[row(i, k).image for k in range(first, first + 3)] for i in range(6)]
        shown = [(i, cv2.GaussianBlur(x, (0, 0), blur) if blur else x) for i, own in enumerate(images) for x in own]
        return [
            Record(
                unit=0,
                number=0,
                name="",
                identity=str(i),
                impression=0,
                width=SIDE,
                height=SIDE,
                ppi=500,
                mean=0,
                deviation=0,
                pixels="",
                print=describe(x, 500),
            )
            for i, x in shown
        ]

    sharp = prints(0, 0)
    other, blurred = (realism.realism(own, sharp).distances for own in (prints(3, 0), prints(0, 2.5)))
    assert list(other) == ["embedding"]
    assert blurred["embedding"]["frechet"].value > 5 * other["embedding"]["frechet"].value
    assert blurred["embedding"]["neighbour_test"].value > 0.9 > other["embedding"]["neighbour_test"].value
