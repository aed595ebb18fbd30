"""Our noise-injecting steps against diffusers' own, given the noise that diffusers draws."""

import pytest
import torch
from diffusers.utils.torch_utils import randn_tensor

from fpsynth.diffusion.parts import build_schedule
from fpsynth.diffusion.samplers import CLASSES, make_sampler
from fpsynth.errors import UserError

CONFIG = dict(build_schedule().config)


def network(latents, time):
    """Any smooth function will do for a network."""
    return torch.tanh(latents * 1.3) * (1 + float(time) / 1000)


def theirs(name, steps, start, eta):
    sampler = make_sampler(name, CONFIG, steps, "cpu", eta)
    generator, latents = torch.Generator().manual_seed(0), start * sampler.scheduler.init_noise_sigma
    extra = {"eta": eta} if name in ("ddim", "tcd") else {}
    if name not in ("dpmpp", "euler"):
        extra["generator"] = generator
    for time in sampler.times:
        seen = sampler.scheduler.scale_model_input(latents, time)
        latents = sampler.scheduler.step(network(seen, time), time, latents, **extra).prev_sample
    return latents


def ours(name, steps, start, eta):
    sampler = make_sampler(name, CONFIG, steps, "cpu", eta)
    generator, latents = torch.Generator().manual_seed(0), start * sampler.scheduler.init_noise_sigma
    for step, time in enumerate(sampler.times):
        seen = sampler.scaled(latents, step)
        noise = lambda i: randn_tensor(latents.shape, generator=generator)  # noqa: B023, E731
        latents = sampler.step(network(seen, time), step, latents, noise)
    return latents


CASES = [("ddpm", 20, 0.0), ("ddim", 10, 0.0), ("ddim", 10, 0.7), ("dpmpp", 8, 0.0), ("euler", 8, 0.0)]
CASES += [("lcm", 4, 0.0), ("lcm", 8, 0.0), ("tcd", 4, 0.3), ("tcd", 4, 0.0), ("tcd", 8, 1.0)]


@pytest.mark.parametrize("name, steps, eta", CASES)
def test_same_as_diffusers(name, steps, eta):
    start = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(ours(name, steps, start, eta), theirs(name, steps, start, eta), rtol=1e-4, atol=1e-4)


def test_four_steps_stand_on_the_grid_that_students_are_taught():
    assert make_sampler("tcd", CONFIG, 4, "cpu").times.tolist() == [999, 759, 499, 259]
    assert make_sampler("ddim", CONFIG, 4, "cpu").times.tolist() == [999, 749, 499, 249]


def test_who_injects():
    counts = {name: len(make_sampler(name, CONFIG, 4, "cpu").injects) for name in CLASSES}
    assert counts == {"ddpm": 3, "ddim": 0, "dpmpp": 0, "euler": 0, "lcm": 3, "tcd": 3}
    assert len(make_sampler("ddim", CONFIG, 4, "cpu", eta=0.5).injects) == 3


def test_unknown_scheduler_and_too_many_steps():
    with pytest.raises(UserError, match="unknown scheduler 'heun'"):
        make_sampler("heun", CONFIG, 4, "cpu")
    with pytest.raises(UserError, match="scheduler tcd cannot take 70 steps"):
        make_sampler("tcd", CONFIG, 70, "cpu")
