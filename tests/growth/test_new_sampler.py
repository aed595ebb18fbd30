"""A sampler with two evaluations a step, by one file and one table entry, used by `generate`."""

from pathlib import Path

import pytest
import torch

import fpsynth.diffusion.samplers
from fpsynth.console import Console
from fpsynth.diffusion.samplers import make_course, sampler_of
from fpsynth.diffusion.schedule import tangent_schedule
from fpsynth.flow import Order, generate
from fpsynth.vocabulary import SAMPLERS, SamplerFacts

RECIPE = """\
identities: 1
impressions: 1
image: {width: 128, height: 128}
sampling: {student: none, scheduler: heun, steps: 2}
gate: off
"""


@pytest.fixture
def heun(monkeypatch):
    """The table entry; the file is found in this folder as if it lay in the package's."""
    package = fpsynth.diffusion.samplers
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(Path(__file__).parent / "samplers")])
    monkeypatch.setitem(SAMPLERS, "heun", SamplerFacts("HeunDiscreteScheduler", injects=False))
    return sampler_of("heun")


def test_it_is_of_second_order(heun):
    """Half the step, a quarter of the error. Of normal data with variance c the flow is known: it scales the start."""
    schedule, c, asked = tangent_schedule("epsilon"), 0.25, []

    def exact(z, t):
        asked.append(int(t))
        a, s = schedule.scales(t)
        return s * z / (a**2 * c + s**2)

    def off(steps):
        """How far the last latent is, at a time whose own step is left out, from where the flow takes it."""
        course = make_course("heun", heun, schedule, steps)
        a, s = schedule.scales(course.times[0])
        b, r = schedule.scales(course.times[-1])
        asked.clear()
        end = heun.sample(exact, torch.ones(1, 1, 1, 1), None, course)
        there = ((b**2 * c + r**2) / (a**2 * c + s**2)).sqrt()
        return abs(float(end - b * c * there / (b**2 * c + r**2)))

    assert off(32) < 0.4 * off(16)
    assert len(asked) == 2 * 16 - 1


def test_generate_samples_with_it(heun, tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    assert generate(
        Order(recipe=tmp_path / "recipe.yaml", overrides=(), out=tmp_path / "out", device="cpu"), Console("quiet")
    )
