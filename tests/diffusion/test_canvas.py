"""A kept part of a canvas, under a network that knows nothing of it."""

import pytest
import torch

from fpsynth.diffusion.canvas import Canvas, begun, keeping
from fpsynth.diffusion.samplers import make_course, sampler_of
from fpsynth.diffusion.schedule import PREDICTIONS, tangent_schedule
from fpsynth.vocabulary import SAMPLERS


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "lcm"])
def test_every_sampler_ends_on_what_is_kept(name, prediction):
    schedule, generator = tangent_schedule(prediction), torch.Generator().manual_seed(0)
    given, start = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    keep = torch.zeros(8, 8)
    keep[:, :4] = 1

    def network(z, t):
        """Believes in a clean latent of 0.5 everywhere."""
        return schedule.saying(torch.full_like(z, 0.5), z, t.clamp(max=998))

    sampler = sampler_of(name)
    course = make_course(name, sampler, schedule, 8)
    predict = keeping(network, [Canvas(one, keep) for one in given], schedule)
    made = sampler.sample(predict, start, lambda i: torch.randn(start.shape, generator=generator), course)
    assert (made - given)[..., :4].abs().max() < 0.1
    assert (made - 0.5)[..., 4:].abs().max() < 0.1


def test_a_share_of_the_steps_is_taken():
    course = make_course("ddim", sampler_of("ddim"), tangent_schedule("v_prediction"), 10)
    assert [len(begun(course, strength).steps) for strength in (1.0, 0.5, 0.26, 0.01)] == [10, 5, 3, 1]
