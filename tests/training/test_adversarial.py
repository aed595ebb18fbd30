"""The adversarial method: what the critic sees, what it learns, and whom its verdict moves."""

import math

import pytest
import torch

from fpsynth.diffusion.denoiser.guidance import predictor
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.samplers import make_course, sampler_of
from fpsynth.training.critic import Critic, Eye, Shown, Trial
from fpsynth.training.denoiser.lessons import lessons_for
from fpsynth.training.distill import DistillSettings
from fpsynth.training.distill.adversarial import drawn
from fpsynth.training.distill.distill import DistillJob, pair, space_of, timing_of
from tests.training.tiny import CROPS, QUIET, loop


@pytest.fixture(scope="module")
def job(bank, model):
    settings = DistillSettings(model=model, name="quick", crops=CROPS, loop=loop(9), method="adversarial", rank=2)
    loaded = load_model(model, "cpu", dtype=torch.float32)
    lessons = lessons_for(loaded, settings, bank, "cpu", QUIET.note)
    student, teacher = pair(loaded, settings, "cpu", loaded)
    teaching = settings.how.begin(space_of(loaded, lessons))
    return DistillJob(student, teacher, lessons, timing_of(settings, loaded.schedule), teaching, loaded.codec), teaching


@pytest.mark.parametrize("cfg_scale", [1.0, 1.5])
def test_what_the_critic_sees_is_what_the_sampler_draws(job, cfg_scale):
    """As a recipe's usual sampler draws: noise is injected where it would be, and as much of it."""
    lesson, tcd = job[0].lesson(0), sampler_of("tcd")
    course = make_course("tcd", tcd, lesson.schedule, len(lesson.starts))
    assert course.eta > 0
    predict = predictor(job[0]._student, job[0]._lessons.draw(0)[0].conditions, cfg_scale)
    with torch.no_grad():
        sampled = tcd.sample(
            predict, lesson.noise, lambda step: lesson.noise.roll((step + 1, step + 1), (0, 3)), course
        )
        assert torch.allclose(drawn(lesson, cfg_scale), sampled, atol=1e-3)


def test_the_verdict_moves_the_student_alone_and_the_critic_moves_itself(job):
    made, teaching = job
    student, teacher = made._student.parts["network"], made._teacher.parts["network"]
    made.loss(0, torch.device("cpu"), torch.float32)[0].backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in student.parameters())
    assert all(p.grad is None for p in teacher.parameters())
    for module in (student, teaching.trial.critic):
        module.zero_grad()
    (critic,) = teaching.opponents(made.lesson)
    critic.loss(0, torch.device("cpu"), torch.float32)[0].backward()
    assert all(p.grad is not None for p in teaching.trial.critic.parameters())
    assert all(p.grad is None for p in student.parameters())


def grain(seed: int) -> torch.Tensor:
    """A grey area with the grain of a sensor: a hundredth of the range of grey."""
    return 0.02 * torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("eye", [Eye(), Eye(depth=1, heads=4)], ids=["plain", "deep"])
@pytest.mark.parametrize("fault", ["no grain", "hatched"])
def test_each_head_of_a_critic_learns_to_tell_faint_faults_of_texture(fault, eye):
    """Also on pictures that it has not seen. None scores wrongly, which would hide another's slopes."""
    torch.manual_seed(0)
    trial = Trial(Critic(3, 8, eye))
    lines = 0.04 * (torch.arange(64) % 8 == 0).float()

    def shown(seed: int) -> Shown:
        faulty = torch.zeros(4, 1, 64, 64) if fault == "no grain" else grain(seed + 1) + lines
        return Shown(grain(seed), faulty, torch.zeros(4, 3, 64, 64), torch.zeros(4, 8))

    optimizer = torch.optim.Adam(trial.critic.parameters(), 1e-3)
    for step in range(100):
        optimizer.zero_grad()
        loss, _ = trial.verdict(shown(10 * step), 0.01)
        loss.backward()
        optimizer.step()
    unseen = shown(5)
    with torch.no_grad():
        real, drawn = (trial.critic(x, unseen.planes, unseen.words) for x in (unseen.real, unseen.drawn))
    apart = [float((r - d).mean()) for r, d in zip(real, drawn, strict=True)]
    assert apart[-1] > 0.5
    assert all(one > 0 for one in apart)


@pytest.mark.parametrize(("eye", "sides"), [(Eye(), [4]), (Eye(depth=1, heads=3), [16, 8, 4])], ids=["plain", "deep"])
def test_each_head_of_a_critic_hears_the_words(eye, sides):
    torch.manual_seed(0)
    critic, picture, planes = Critic(3, 8, eye), torch.zeros(2, 1, 64, 64), torch.zeros(2, 3, 64, 64)
    scores = critic(picture, planes, torch.stack([torch.zeros(8), torch.ones(8)]))
    assert [score.shape for score in scores] == [(2, 1, side, side) for side in sides]
    assert not any(torch.allclose(one, other) for one, other in scores)


def test_the_penalty_is_the_mean_square_slope_of_the_scores():
    """Of one head whose score is 3 times the mean of 2 x 2 pixels: each pixel moves its score by 3 / 4."""

    class Mean(torch.nn.Linear):
        def forward(self, picture, planes, words):
            return [3 * torch.nn.functional.avg_pool2d(picture, 2)]

    picture, planes = torch.rand(2, 1, 8, 8), torch.zeros(2, 3, 8, 8)
    shown = Shown(picture, picture, planes, torch.zeros(2, 8))
    loss, figures = Trial(Mean(1, 1)).verdict(shown, penalty=0.5)
    steep = 4 * (3 / 4) ** 2
    assert figures["slopes"] == pytest.approx(2 * steep)
    assert float(loss.detach()) == pytest.approx(math.log(2) + 0.5 / 2 * 2 * steep)
