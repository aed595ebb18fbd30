"""The bundled embedding: it is small, it bears placement and resolution, and it tells new fingers apart."""

import cv2
import numpy as np
import pytest

from fpsynth.embedding.bundled import default_embedding
from fpsynth.embedding.embedder import load_embedder, placed
from fpsynth.embedding.network import SIZE
from fpsynth.errors import DamagedFile, UserError
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.inspect.measure.matching import draw_pairs, rates
from fpsynth.sensor import draw_device, render

FINGERS, CAPTURES = 12, 3
PATTERNS = ("left_loop", "right_loop", "whorl")


@pytest.fixture(scope="module")
def embedder():
    return load_embedder()


@pytest.fixture(scope="module")
def prints():
    """(finger, image) of fingers that no training ever saw, by good optical devices."""
    shots = []
    for number in range(FINGERS):
        finger = make_finger(np.random.default_rng([9, number]), PATTERNS[number % 3])
        for shot in range(CAPTURES):
            rng = np.random.default_rng([number, shot])
            impression = capture(finger, CaptureSettings(width=384, height=384), rng)
            shots.append((number, render(impression, draw_device("optical", rng), rng).numpy()))
    return shots


def test_it_is_small():
    assert sum(path.stat().st_size for path in default_embedding().iterdir()) < 5_000_000


def test_new_fingers_are_told_apart(embedder, prints):
    vectors = embedder.describe([image for _, image in prints]).identity
    pairs, _ = draw_pairs([finger for finger, _ in prints])
    mated, other = ((vectors[p[:, 0]] * vectors[p[:, 1]]).sum(1) for p in (pairs.mated, pairs.non_mated))
    assert rates(mated, other).eer < 0.08
    assert np.median(mated) > np.percentile(other, 99)


def test_a_turned_and_shifted_print_is_the_same_print(embedder, prints):
    images = [image for _, image in prints[::CAPTURES]]
    middle = (images[0].shape[1] / 2, images[0].shape[0] / 2)
    turn = cv2.getRotationMatrix2D(middle, 15, 1.0) + np.array([[0, 0, 25], [0, 0, -20]])
    turned = [cv2.warpAffine(i, turn, i.shape[::-1], borderMode=cv2.BORDER_REPLICATE) for i in images]
    likeness = (embedder.describe(images).identity * embedder.describe(turned).identity).sum(1)
    assert np.median(likeness) > 0.8


def test_resolution_does_not_matter(embedder, prints):
    fine = prints[0][1]
    coarse = cv2.resize(fine, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    a, b = embedder.describe([fine], 500).identity[0], embedder.describe([coarse], 400).identity[0]
    assert float(a @ b) > 0.9


def test_a_description_does_not_depend_on_its_batch_mates(embedder, prints):
    images = [image for _, image in prints[:5]]
    together = embedder.describe(images)
    alone = embedder.describe(images[3:4])
    for one, all_ in zip(alone, together, strict=True):
        assert np.allclose(one[0], all_[3], atol=1e-4)


def test_any_image_is_placed(embedder):
    for shape in ((40, 700), (900, 30), (SIZE, SIZE)):
        assert placed(np.full(shape, 200, np.uint8), 500).shape == (SIZE, SIZE)
    assert np.isfinite(embedder.describe([np.zeros((64, 64), np.uint8)]).identity).all()


def test_no_network_and_a_damaged_one(tmp_path):
    with pytest.raises(UserError, match="not a fingerprint embedding"):
        load_embedder(tmp_path)
    for file in default_embedding().iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DamagedFile, match="not a readable fingerprint embedding"):
        load_embedder(tmp_path)
