"""Our noise-injecting steps against diffusers' own, given the noise that diffusers draws."""

import pytest
import torch
from diffusers.utils.torch_utils import randn_tensor

from fpsynth.diffusion.samplers import make_course, sampler_of
from fpsynth.diffusion.schedule import PREDICTIONS, tangent_schedule
from fpsynth.errors import UserError
from fpsynth.vocabulary import SAMPLERS

SCHEDULE = tangent_schedule("v_prediction")


def network(latents, time):
    """Any smooth function will do for a network."""
    return torch.tanh(latents * 1.3) * (1 + float(time) / 1000)


def theirs(name, steps, start, eta, schedule):
    scheduler = sampler_of(name).scheduler(schedule, steps)
    generator, latents = torch.Generator().manual_seed(0), start * scheduler.init_noise_sigma
    extra = {"eta": eta} if name in ("ddim", "tcd") else {}
    if name not in ("dpmpp", "euler"):
        extra["generator"] = generator
    for time in scheduler.timesteps:
        seen = scheduler.scale_model_input(latents, time)
        latents = scheduler.step(network(seen, time), time, latents, **extra).prev_sample
    return latents


def ours(name, steps, start, eta, schedule):
    sampler, generator = sampler_of(name), torch.Generator().manual_seed(0)
    course = make_course(name, sampler, schedule, steps, eta)
    return sampler.sample(network, start, lambda i: randn_tensor(start.shape, generator=generator), course)


CASES = [("ddpm", 20, 0.0), ("ddim", 10, 0.0), ("ddim", 10, 0.7), ("dpmpp", 8, 0.0), ("euler", 8, 0.0)]
CASES += [("lcm", 4, 0.0), ("lcm", 8, 0.0), ("tcd", 4, 0.3), ("tcd", 4, 0.0), ("tcd", 8, 1.0)]


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("name, steps, eta", CASES)
def test_same_as_diffusers(name, steps, eta, prediction):
    """Whatever the network predicts. Where a_t is near 0, epsilon divides by it: there is no comparing from 999 on."""
    schedule = tangent_schedule(prediction)
    start = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    mine, other = (made(name, steps, start, eta, schedule) for made in (ours, theirs))
    scale = float(other.abs().max())
    torch.testing.assert_close(mine / scale, other / scale, rtol=1e-4, atol=1e-4)


def test_four_steps_stand_on_the_grid_that_students_are_taught():
    assert make_course("tcd", sampler_of("tcd"), SCHEDULE, 4).times.tolist() == [999, 759, 499, 259]
    assert make_course("ddim", sampler_of("ddim"), SCHEDULE, 4).times.tolist() == [999, 749, 499, 249]


def test_who_injects():
    counts = {name: len(make_course(name, sampler_of(name), SCHEDULE, 4).injects) for name in SAMPLERS}
    assert counts == {"ddpm": 3, "ddim": 0, "dpmpp": 0, "euler": 0, "lcm": 3, "tcd": 3}
    assert len(make_course("ddim", sampler_of("ddim"), SCHEDULE, 4, eta=0.5).injects) == 3
    assert len(make_course("tcd", sampler_of("tcd"), SCHEDULE, 4, eta=0.0).injects) == 0


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_is_named_by_a_scheduler_of_diffusers(name):
    assert type(sampler_of(name).scheduler(SCHEDULE, 4)).__name__ == SAMPLERS[name].scheduler


def test_unknown_scheduler_and_too_many_steps():
    with pytest.raises(UserError, match="unknown scheduler 'heun'"):
        sampler_of("heun")
    with pytest.raises(UserError, match="scheduler tcd cannot take 70 steps"):
        make_course("tcd", sampler_of("tcd"), SCHEDULE, 70)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_what_a_network_says(prediction):
    """The exact answer for a point gives back the point and the noise, and `saying` is the answer."""
    schedule = tangent_schedule(prediction)
    g = torch.Generator().manual_seed(0)
    x0, e = torch.randn(4, 2, 3, 3, generator=g), torch.randn(4, 2, 3, 3, generator=g)
    t = torch.tensor([10, 300, 600, 900])
    z, output = schedule.noisy(x0, e, t), schedule.target(x0, e, t)
    for found, true in zip(schedule.split(z, output, t), (x0, e), strict=True):
        assert torch.allclose(found, true, atol=1e-3)
    assert torch.allclose(schedule.saying(x0, z, t), output, atol=1e-3)
    assert torch.allclose(schedule.jump(z, output, t, t // 2), schedule.noisy(x0, e, t // 2), atol=1e-3)


SPREAD = 0.5
"""Deviation of the data whose posterior is known."""


def reached(name, steps, eta=None):
    """Where a sampler ends that is told the mean of the posterior of normal data, and where it began."""
    schedule = tangent_schedule("sample")

    def posterior(z, t):
        a, s = schedule.scales(t.view(1))
        return a * SPREAD**2 / (a**2 * SPREAD**2 + s**2) * z

    generator, course = torch.Generator().manual_seed(2), make_course(name, sampler_of(name), schedule, steps, eta)
    start = torch.randn(1, 1, 64, 64, generator=generator)
    end = sampler_of(name).sample(posterior, start, lambda i: torch.randn(start.shape, generator=generator), course)
    return end, start


@pytest.mark.parametrize("steps", [100, 150, 600])
def test_ddim_reaches_the_deviation_of_the_data_in_any_number_of_steps(steps):
    """The probability flow of normal data is a scaling; 150 and 600 do not divide 1000."""
    end, start = reached("ddim", steps)
    assert float(end.std() / start.std()) == pytest.approx(SPREAD, rel=0.02)


@pytest.mark.parametrize("steps", [50, 60, 600])
def test_ddim_with_all_its_noise_is_ancestral_sampling(steps):
    one, other = (reached(name, steps, eta)[0] for name, eta in (("ddim", 1.0), ("ddpm", None)))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
