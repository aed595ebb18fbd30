"""What a run is said to take: by hand."""

import pytest

from fpsynth.making.pace import SECONDS_A_FINGER, recall, remember
from fpsynth.recipe import Recipe, make_plan


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def plan(identities: int, impressions: int, **parts):
    asked = {"identities": identities, "impressions": impressions, "sampling": {"model": "virtual"}}
    return make_plan(Recipe.model_validate(asked | parts))


def test_fingers_cost_by_themselves_and_workers_share():
    first = plan(10, 4)
    remember(first, "cpu", 2, 40, 42.0, 4_000_000)  # 84 s of one worker: 4 for the fingers, 2 an image
    pace = recall(first.recipe, "cpu")
    assert (pace.seconds, pace.bytes) == (pytest.approx(2.0), 100_000)
    assert pace.time(plan(100, 2), 1) == pytest.approx(100 * SECONDS_A_FINGER + 200 * 2.0)
    assert pace.time(plan(100, 2), 4) == pytest.approx((100 * SECONDS_A_FINGER + 200 * 2.0) / 4)


def test_only_runs_of_the_same_kind_count(home):
    remember(plan(10, 4), "cpu", 1, 40, 42.0, 1000)
    assert recall(plan(1000, 9).recipe, "cpu") is not None
    assert recall(plan(10, 4).recipe, "cuda") is None
    assert recall(plan(10, 4, image={"width": 128, "height": 128}).recipe, "cpu") is None
    assert recall(plan(10, 4, gate="off").recipe, "cpu") is None


def test_few_images_say_nothing_and_a_damaged_file_is_passed_by(home):
    few = plan(2, 4)
    remember(few, "cpu", 1, 8, 9.0, 1000)
    assert recall(few.recipe, "cpu") is None
    remember(few, "cpu", 1, 40, 9.0, 1000)
    for file in home.rglob("*.json"):
        file.write_text('{"seconds": null}')
    assert recall(few.recipe, "cpu") is None
