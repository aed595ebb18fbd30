"""Distillation losses against a distribution whose exact velocity is known: every pixel is -1 or +1."""

from itertools import pairwise

import pytest
import torch
from diffusers import DDPMScheduler, TCDScheduler
from torch import nn

from fpsynth.diffusion.schedule import stratified_times, tangent_schedule
from fpsynth.training.distill.flash import FlashSettings, clustered, walked
from fpsynth.training.distill.lcm import Lcm
from fpsynth.training.distill.method import Lesson, Space, pseudo_huber, teacher_times
from fpsynth.training.distill.phased import Phased, phase_edge
from fpsynth.training.distill.segment import Segment, phase_start
from fpsynth.training.distill.trajectory import Trajectory

DIFFUSION = tangent_schedule("v_prediction")
ALPHAS = DIFFUSION.alphas_cumprod
STARTS = torch.tensor([999, 759, 499, 259])


def exact(z, t, control):
    """E[v | z] where x0 is -1 or +1 with equal odds: E[x0 | z] = tanh(a z / s^2)."""
    a, s = DIFFUSION.scales(t)
    x0 = torch.tanh(a * z / s.square())
    return a * (z - a * x0) / s - s * x0


class Corrected(nn.Module):
    """The exact teacher plus a small learnt correction, 0 at the start: a student that begins as its teacher."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(4, 64, 1), nn.SiLU(), nn.Conv2d(64, 64, 1), nn.SiLU(), nn.Conv2d(64, 1, 1))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, z, t, control):
        a, s = (x.expand_as(z) for x in DIFFUSION.scales(t))
        return exact(z, t, control) + self.net(torch.cat([z, a, s, exact(z, t, control)], 1))


METHODS = {"phased": Phased(0.01), "trajectory": Trajectory(0.01, 1), "lcm": Lcm(0.01), "segment": Segment(0.01, 1)}


def lesson(student, teacher, x0, noise, t, control=lambda z, t: None, **more):
    planes, words = torch.zeros(len(x0), 3, *x0.shape[2:]), torch.zeros(len(x0), 8)
    return Lesson(
        student=student, teacher=teacher, control=control, schedule=DIFFUSION, stride=20, starts=STARTS,
        x0=x0, noise=noise, t=t, sampled=None, picture=lambda z: z, planes=planes, words=words, **more,
    )  # fmt: skip


def loss(method, *material):
    return METHODS[method].loss(lesson(*material))


def run_ddim(velocity, z, times):
    for here, there in zip(times, [*times[1:], 0], strict=True):
        t, to = torch.full((len(z),), here), torch.full((len(z),), there)
        z = DIFFUSION.jump(z, velocity(z, t, None), t, to)
    return z


def test_clean_and_jump_invert_the_noising():
    g = torch.Generator().manual_seed(0)
    x0, e = torch.randn(5, 2, 3, 3, generator=g), torch.randn(5, 2, 3, 3, generator=g)
    t = torch.tensor([10, 300, 500, 700, 900])
    z, v = DIFFUSION.noisy(x0, e, t), DIFFUSION.target(x0, e, t)
    assert torch.allclose(DIFFUSION.clean(z, v, t), x0, atol=1e-4)
    assert torch.allclose(DIFFUSION.jump(z, v, t, t // 2), DIFFUSION.noisy(x0, e, t // 2), atol=1e-4)


def test_velocity_is_the_scheduler_s():
    scheduler = DDPMScheduler.from_config(DIFFUSION.config)
    x0, e, t = torch.randn(3, 1, 2, 2), torch.randn(3, 1, 2, 2), torch.tensor([5, 500, 990])
    assert torch.allclose(DIFFUSION.target(x0, e, t), scheduler.get_velocity(x0, e, t), atol=1e-6)
    assert torch.allclose(DIFFUSION.noisy(x0, e, t), scheduler.add_noise(x0, e, t), atol=1e-6)


def test_phase_edges_lie_on_the_sampled_grid():
    scheduler = TCDScheduler(beta_schedule="squaredcos_cap_v2")
    scheduler.set_timesteps(4)
    assert scheduler.timesteps.tolist() == STARTS.tolist()
    t = torch.tensor([999, 979, 779, 759, 739, 499, 259, 239, 19, 0])
    assert phase_edge(t, STARTS).tolist() == [759, 759, 759, 499, 499, 259, 0, 0, 0, 0]
    assert set(STARTS.tolist()) <= set(teacher_times(1000, 20).tolist())


def test_times_are_stratified():
    times = stratified_times(torch.Generator().manual_seed(1), 10, 1000)
    assert sorted(int(t) // 100 for t in times) == list(range(10))


def test_pseudo_huber_is_square_when_small_and_straight_when_large():
    zero = torch.zeros(4)
    assert float(pseudo_huber(zero + 1e-3, zero, 1.0)) == pytest.approx(0.5e-6, rel=0.2)
    assert float(pseudo_huber(zero + 100, zero, 1.0)) == pytest.approx(99, rel=0.01)


def towards(point):
    """The exact velocity where all data are one point: every jump along it ends where it should."""

    def velocity(z, t, control):
        a, s = DIFFUSION.scales(t)
        return a * (z - a * point) / s - s * point

    return velocity


def test_an_exact_teacher_is_a_fixed_point():
    teacher = towards(0.7)
    x0, noise = torch.full((50, 1, 2, 2), 0.7), torch.randn(50, 1, 2, 2)
    t = teacher_times(1000, 20)
    assert float(loss("phased", teacher, teacher, x0, noise, t)) < 1e-5
    assert float(loss("trajectory", teacher, teacher, x0, noise, t)) < 1e-5
    assert float(loss("segment", teacher, teacher, x0, noise, t)) < 1e-5
    assert float(loss("lcm", teacher, teacher, x0, noise, t)) < 1e-4


def test_a_student_that_is_wrong_pays_for_its_jump():
    """At 779 the phase ends one teacher step on, at 759, so the target is the teacher's own."""
    teacher = towards(0.7)
    x0, noise, t = torch.full((3, 1, 2, 2), 0.7), torch.randn(3, 1, 2, 2), torch.full((3,), 779)
    a, to = ALPHAS[779].double(), ALPHAS[759].double()
    off = float(((1 - to) * a).sqrt() - (to * (1 - a)).sqrt())
    expected = (off**2 + 0.01**2) ** 0.5 - 0.01
    found = loss("phased", lambda z, t, c: teacher(z, t, c) + 1, teacher, x0, noise, t)
    assert float(found) == pytest.approx(expected, rel=1e-3)


def test_control_is_asked_once_a_place():
    asked = []

    def control(z, t):
        asked.append(int(t[0]))
        return None

    x = torch.zeros(2, 1, 1, 1)
    loss("phased", exact, exact, x, x + 1, torch.tensor([539, 539]), control)
    assert asked == [539, 519]


def test_a_trajectory_ends_where_the_teacher_walks():
    """Each image from its own time, stride by stride, to the end of its own phase."""
    g = torch.Generator().manual_seed(0)
    x0, noise, t = (
        torch.randn(3, 1, 2, 2, generator=g),
        torch.randn(3, 1, 2, 2, generator=g),
        torch.tensor([999, 259, 519]),
    )
    z, edge = DIFFUSION.noisy(x0, noise, t), phase_edge(t, STARTS)
    walks = [[*range(999, 758, -20)], [*range(259, 18, -20), 0], [519, 499]]
    ends = torch.cat([_along(z[i : i + 1], walk) for i, walk in enumerate(walks)])

    def there(z, t, control):
        """The output whose jump to the edge comes to the walk's end: e and x0 of the line through both points."""
        (a, s), (b, r) = DIFFUSION.scales(t), DIFFUSION.scales(edge)
        noise = (a * ends - b * z) / (a * r - b * s)
        return a * noise - s * (z - s * noise) / a

    assert float(loss("trajectory", there, exact, x0, noise, t)) < 1e-4
    assert float(loss("trajectory", exact, exact, x0, noise, t)) > 1e-2


def _along(z, times):
    for here, to in pairwise(times):
        t = torch.tensor([here])
        z = DIFFUSION.jump(z, exact(z, t, None), t, torch.tensor([to]))
    return z


@pytest.mark.parametrize(("method", "share"), [("phased", 0.6), ("trajectory", 0.8), ("segment", 0.6), ("lcm", 0.6)])
def test_student_jumps_where_the_teacher_crawls(method, share):
    """4 student steps go where 50 teacher steps go. lcm: so does one student step from t = 299."""
    student = Corrected()
    times = teacher_times(1000, 20)[:15] if method == "lcm" else teacher_times(1000, 20)
    optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 500)
    g = torch.Generator().manual_seed(3)
    for _ in range(500):
        x0 = torch.randint(0, 2, (64, 1, 6, 6), generator=g) * 2.0 - 1
        noise, t = torch.randn(x0.shape, generator=g), times[torch.randint(len(times), (64,), generator=g)]
        optimizer.zero_grad()
        loss(method, student, exact, x0, noise, t).backward()
        optimizer.step()
        falling.step()
    start = torch.randn(256, 1, 6, 6, generator=g)
    with torch.no_grad():
        if method != "lcm":
            truth = run_ddim(exact, start, teacher_times(1000, 20).flip(0).tolist())
            few = STARTS.tolist()
        else:
            z0 = torch.randint(0, 2, start.shape, generator=g) * 2.0 - 1
            start = DIFFUSION.noisy(z0, start, torch.full((256,), 299))
            truth = run_ddim(exact, start, teacher_times(1000, 20)[:15].flip(0).tolist())
            few = [299]
        before = (run_ddim(exact, start, few) - truth).abs().mean()
        after = (run_ddim(student, start, few) - truth).abs().mean()
    assert after < share * before


def test_a_segment_begins_where_the_student_is_sampled():
    t = torch.tensor([999, 979, 760, 759, 259, 19])
    assert phase_start(t, STARTS).tolist() == [999, 999, 999, 759, 259, 259]


@pytest.mark.parametrize(("weights", "most"), [((0.5, 0.5, 0, 0), [999, 759]), ((0, 0, 0.5, 0.5), [499, 259])])
def test_times_cluster_around_those_that_count_in_the_stage(weights, most):
    """As often as they are to, within a third of the way to the next."""
    times = clustered(torch.arange(1000), STARTS, 1000, weights)
    near = (times[:, None] - torch.tensor(most)).abs().min(1).values
    assert int(times.min()) >= 0
    assert int(times.max()) <= 999
    assert float((near < 85).double().mean()) > 0.75
    assert [float(((times - one).abs() < 125).double().mean()) for one in most] == pytest.approx([0.5, 0.5], abs=0.06)


def test_flash_asks_for_the_clean_image_at_the_end_of_the_teacher_s_way():
    """In one step, where all data are one point; a student that is wrong pays."""
    teacher, flash = towards(0.7), FlashSettings().begin(Space(1, 3, 8))
    x0, noise, t = torch.full((8, 1, 32, 32), 0.7), torch.randn(8, 1, 32, 32), torch.arange(124, 1000, 125)

    def paid(student, done):
        return float(flash.loss(lesson(student, teacher, x0, noise, t, done=done)).detach())

    clean = walked(lesson(teacher, teacher, x0, noise, t), DIFFUSION.noisy(x0, noise, t), t, 4)
    assert torch.allclose(clean, x0, atol=0.01)
    assert paid(teacher, 0.0) < 1e-3
    assert paid(lambda z, t, c: teacher(z, t, c) + 1, 0.0) > 0.1
    assert paid(teacher, 0.9) > paid(teacher, 0.0) + 0.05, "the critic has its say later on"
