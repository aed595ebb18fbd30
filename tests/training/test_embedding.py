"""The embedding's training data is geometrically true, and a short run learns and leaves a network that loads."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fpsynth.console import Console
from fpsynth.embedding.embedder import load_embedder
from fpsynth.embedding.network import CROP, DIRECTIONS, SIZE, WINDOW, EmbeddingNetwork, aligned, corrected
from fpsynth.errors import UserError
from fpsynth.extractor.contrast import normalised
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.recipe.document import read_document
from fpsynth.recipe.validate import validate
from fpsynth.training import run
from fpsynth.training.contrastive import contrastive
from fpsynth.training.data.prints import PrintSettings, pose_in, prints_of, render_prints
from fpsynth.training.embedding import EmbeddingSettings, save_embedding
from fpsynth.training.embedding.augment import LOOPS, Lot, draw_fingers, mirrored, moved
from fpsynth.training.embedding.losses import minutiae_map, seen_off

RECIPE = Path(__file__).parents[2] / "recipes" / "train" / "embedding.yaml"
POSE = torch.tensor([[120.0, 140.0, 0.3], [131.0, 118.0, -0.2]])


def train(recipe, overrides, out):
    run.train("embedding", run.Order(recipe=recipe, overrides=overrides, out=out, device="cpu"), Console("quiet"))


@pytest.fixture(scope="module")
def scene():
    """Two smooth pictures (2, 1, 256, 256)."""
    noise = torch.randn(2, 1, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(1))
    return F.interpolate(noise, (SIZE, SIZE), mode="bicubic")


def similarity(a, b):
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def lot_of(whole, minutiae=None):
    points = torch.full((2, 96, 3), float("nan")) if minutiae is None else minutiae
    return Lot(whole, torch.tensor([3, 4]), POSE, points)


def test_a_moved_print_is_cut_out_as_before(scene):
    whole, pose = moved(scene, POSE, torch.Generator().manual_seed(2))
    assert (pose - POSE).abs().min() > 1e-3
    inner = (slice(None), slice(None), slice(60, 130), slice(45, 115))  # what stays inside the picture
    assert similarity(aligned(scene, POSE)[inner], aligned(whole, pose)[inner]) > 0.98


def test_a_pose_is_corrected_by_what_is_seen_of_its_error():
    wrong = POSE + torch.tensor([[9.0, -5.0, 0.15], [-12.0, 3.0, -0.2]])
    assert torch.allclose(corrected(wrong, seen_off(wrong, POSE)), POSE, atol=1e-4)
    upright = torch.tensor([[100.0, 100.0, 0.0]])
    assert torch.allclose(corrected(upright, torch.tensor([[1.0, 0.5, 0.0]])), torch.tensor([[116.0, 108.0, 0.0]]))


def test_a_mirrored_print_is_cut_out_mirrored(scene):
    lot = mirrored(lot_of(scene), torch.tensor([True, False]))
    before, after = aligned(scene, POSE), aligned(lot.whole, lot.poses)
    assert torch.allclose(after[0], before[0].flip(2), atol=1e-3)
    assert torch.equal(after[1], before[1])


def test_minutiae_lie_in_the_map_where_they_lie_in_the_aligned_print():
    finger = make_finger(np.random.default_rng(5), "whorl")
    impression = capture(finger, CaptureSettings(variation=1.0), np.random.default_rng(6))
    pose = pose_in(impression, finger)
    at = np.array([impression.flow[int(m.y), int(m.x)].tolist() for m in impression.minutiae])
    known = {(round(m.x), round(m.y)): m for m in finger.minutiae}
    names = [min(known, key=lambda k, p=p: math.dist(k, p)) for p in at]
    expected = np.zeros((DIRECTIONS, CROP[0] // 8, CROP[1] // 8), bool)
    for name in names:  # where the master has it, in the upright frame
        m = known[name]
        x = (m.x - finger.centre[0]) / 2 + (CROP[1] - 1) / 2
        y = (m.y - finger.centre[1]) / 2 + (CROP[0] - 1) / 2
        if 0 <= x < CROP[1] and 0 <= y < CROP[0]:
            expected[int(m.angle % 360 / 60), int(y / 8), int(x / 8)] = True
    table = torch.full((1, 96, 3), float("nan"))
    for i, m in enumerate(impression.minutiae[:96]):
        table[0, i] = torch.tensor([m.x / 2, m.y / 2, math.radians(m.angle)])
    found = minutiae_map(table, pose[None])[0].numpy() > 0
    near = F.max_pool2d(torch.from_numpy(expected).float()[None], 3, 1, 1)[0].numpy().max(0) > 0
    assert found.sum() >= 15
    assert (found.any(0) & near).sum() >= 0.9 * found.any(0).sum()  # skin gives, so a cell beside it is near enough
    assert (found & expected).sum() >= 0.35 * found.sum()  # chance would be about one in a hundred


def test_a_mirrored_minutia_has_its_mirrored_direction():
    points = torch.full((2, 96, 3), float("nan"))
    points[:, 0] = torch.tensor([120.0, 140.0, math.radians(20)])
    upright = torch.tensor([[120.0, 140.0, 0.0]] * 2)
    lot = Lot(torch.zeros(2, 1, SIZE, SIZE), torch.tensor([0, 1]), upright, points)
    reversed_ = mirrored(lot, torch.tensor([True, True]))
    assert minutiae_map(lot.minutiae, lot.poses)[0].nonzero()[0, 0] == 0  # 20 degrees: the first sixth
    assert minutiae_map(reversed_.minutiae, reversed_.poses)[0].nonzero()[0, 0] == 2  # 160 degrees: the third


def test_prints_of_one_finger_lie_on_each_other():
    """Excellent prints, cut out at their poses and normalised, agree; those of another finger do not."""
    settings = PrintSettings(
        fingers=2,
        captures=2,
        sensor={"optical": 1.0},
        quality={"excellent": 1.0},
        skin={"normal": 1.0},
        acquisition={"rolled": 1.0},
    )
    prints = prints_of([render_prints(settings, 0, 2)])
    crops = aligned(normalised(prints.images[:, None].float(), WINDOW), prints.poses)[:, :, 75:115, 60:100]
    assert prints.finger.tolist() == [0, 0, 1, 1]
    own = best_shift(crops[0], crops[1]), best_shift(crops[2], crops[3])
    foreign = best_shift(crops[0], crops[2]), best_shift(crops[1], crops[3])
    assert min(own) > max(foreign) + 0.1


def best_shift(a, b, reach=6):
    """The best correlation over small shifts."""
    shifts = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    return max(similarity(a, torch.roll(b, s, (1, 2))) for s in shifts)


def test_contrastive_loss_of_a_small_case():
    vectors = F.normalize(torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]]), dim=1)
    finger = torch.tensor([0, 0, 1, 1])
    loss, right = contrastive(vectors, finger, 0.5)
    cosines = (vectors @ vectors.T / 0.5).numpy()
    each = [
        -cosines[i, j] + math.log(sum(math.exp(cosines[i, k]) for k in range(4) if k != i))
        for i, j in ((0, 1), (1, 0), (2, 3), (3, 2))
    ]
    assert float(loss) == pytest.approx(sum(each) / 4, abs=1e-5)
    assert right == 1.0


def test_loops_of_a_batch_open_to_one_side():
    kinds, seen = torch.tensor([0, 1, 2, 3] * 30), 0
    for seed in range(40):
        finger, flip = draw_fingers(kinds, 20, torch.Generator().manual_seed(seed))
        assert len(set(finger.tolist())) == 20
        if set(kinds[finger].tolist()) == set(LOOPS):
            seen += 1
            assert len(set(((kinds[finger] == 0) ^ flip).tolist())) == 1
    assert seen >= 5


def test_a_kind_without_fingers_gives_way_to_all():
    for seed in range(20):
        finger, _ = draw_fingers(torch.tensor([2] * 9 + [3]), 6, torch.Generator().manual_seed(seed))
        assert len(finger) == 6


def recipe(tmp_path):
    path = tmp_path / "embedding.yaml"
    words = {"steps": 16, "batch": 12, "learning_rate": 2e-3, "warmup": 2, "precision": "fp32", "log_every": 4}
    loop_text = ", ".join(f"{key}: {value}" for key, value in words.items())
    path.write_text(
        "stage: embedding\nprints: {fingers: 16, captures: 2, workers: 1, sensor: {optical: 1.0}}\n"
        f"size: 32\nloop: {{{loop_text}}}\n"
    )
    return path


@pytest.mark.slow
def test_the_stage_learns_and_its_network_loads(tmp_path):
    train(recipe(tmp_path), (), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 16
    assert lines[-1]["loss"] < lines[0]["loss"]
    embedder = load_embedder(tmp_path / "run" / "embedding")
    picture = np.random.default_rng(0).integers(0, 255, (300, 280), np.uint8)
    vectors, texture = embedder.describe([picture, picture, 255 - picture])
    assert vectors.shape == (3, 32) and texture.shape == (3, 128)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.allclose(vectors[0], vectors[2], atol=1e-3)


def test_prints_of_other_settings_are_refused(tmp_path):
    path = recipe(tmp_path)
    train(path, ("loop.steps=1",), tmp_path / "run")
    with pytest.raises(UserError, match="other settings"):
        train(path, ("prints.captures=3",), tmp_path / "other")


def test_the_recipe_makes_a_network_like_the_bundled_one():
    settings = validate(read_document(RECIPE), EmbeddingSettings)
    assert settings.size == load_embedder().size


def test_weights_are_small_enough_to_ship(tmp_path):
    save_embedding(EmbeddingNetwork(192), 192, tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5_000_000
