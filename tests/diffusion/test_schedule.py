"""The schedule's arithmetic, and the schedules that a model can be trained on."""

import math

import pytest
import torch
from diffusers import DDIMScheduler

from fpsynth.diffusion.schedule import LEAST, PREDICTIONS, Schedule, tangent_schedule


def test_shift_and_spread_of_one_are_the_cosine_schedule():
    cosine = Schedule.of(dict(DDIMScheduler(beta_schedule="squaredcos_cap_v2").config))
    tangent = tangent_schedule()
    for t in (200, 400, 700, 950):
        theirs, ours = (s.scales(torch.tensor(t)) for s in (cosine, tangent))
        assert float(ours[1] / ours[0]) == pytest.approx(float(theirs[1] / theirs[0]), rel=0.05)


@pytest.mark.parametrize(("shift", "spread"), [(2.0, 1.4), (4.0, 1.0)])
def test_noise_comes_in_as_the_tangent_says(shift, spread):
    schedule = tangent_schedule("sample", shift, spread)
    for t in (49, 99, 499, 899, 989):
        a, s = schedule.scales(torch.tensor(t))
        assert float(s / a) == pytest.approx(shift * math.tan(math.pi * (t + 1) / 2000) ** spread, rel=1e-3)
    assert float(schedule.alphas_cumprod[-1]) < 1e-9


def test_a_saved_schedule_is_the_same():
    schedule = tangent_schedule("sample", 2.0, 1.4)
    assert torch.equal(Schedule.of(schedule.config).alphas_cumprod, schedule.alphas_cumprod)


def test_an_error_of_the_clean_latent_is_worth_the_velocitys():
    """v is a e - s x0 of the z that both say (Salimans & Ho 2022)."""
    x0, noise = torch.randn(2, 3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([300, 500, 900])
    clean, velocity = tangent_schedule("sample"), tangent_schedule("v_prediction")
    z = clean.noisy(x0, noise, t)
    wrong = x0 + 0.1
    v = velocity.saying(wrong, z, t) - velocity.saying(x0, z, t)
    assert torch.allclose(clean.as_velocity(wrong - x0, t).abs(), v.abs(), atol=1e-4)
    assert torch.equal(velocity.as_velocity(v, t), v)


def test_little_noise_counts_no_more_than_some():
    error = torch.full((1, 1, 2, 2), 0.1)
    assert float(tangent_schedule("sample").as_velocity(error, torch.tensor([1])).max()) == pytest.approx(0.1 / LEAST)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_saying_and_clean_are_inverse(prediction):
    schedule = tangent_schedule(prediction, 2.0, 1.4)
    x0, z = torch.randn(2, 1, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    t = torch.tensor(400)
    assert torch.allclose(schedule.clean(z, schedule.saying(x0, z, t), t), x0, atol=1e-4)
