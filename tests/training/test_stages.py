"""Denoiser, adapters and distillation on a bank of waves: each goes on where it was cut, and changes what it should."""

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline, TCDScheduler
from safetensors.torch import load_file

from fpsynth.diffusion.denoiser.guidance import predictor
from fpsynth.diffusion.model import load_model
from fpsynth.errors import UserError
from fpsynth.model_folder import own_sampler
from fpsynth.training.denoiser import AdapterSettings, run_adapters, run_denoiser
from fpsynth.training.denoiser.lessons import lessons_for
from fpsynth.training.distill import DistillSettings, run_distill
from fpsynth.training.distill.distill import DistillJob, pair, space_of, timing_of
from tests.training.tiny import CROPS, QUIET, Cut, cut_at, denoiser_settings, loop

STUDENT = Path("model") / "students" / "quick"


def adapters_of(model, plan) -> AdapterSettings:
    return AdapterSettings(stage="adapters", model=model, fresh=True, crops=CROPS, loop=plan)


def distill_of(model, plan, **changes) -> DistillSettings:
    return DistillSettings(model=model, name="quick", crops=CROPS, loop=plan, **changes)


def run(stage, home, bank, model, plan, out, console=QUIET):
    if stage == "denoiser":
        run_denoiser(denoiser_settings(home, loop=plan), bank, out, "cpu", console)
    elif stage == "adapters":
        run_adapters(adapters_of(model, plan), bank, out, "cpu", console)
    else:
        rank, method = (2, "phased") if stage == "distill as LoRA" else (0, stage.removeprefix("distill "))
        run_distill(distill_of(model, plan, rank=rank, method=method), model, bank, out, "cpu", console)


@pytest.mark.parametrize("stage", ["denoiser", "adapters", "distill phased", "distill adversarial", "distill as LoRA"])
def test_a_run_that_was_cut_ends_with_the_same_weights(home, bank, model, tmp_path, stage):
    run(stage, home, bank, model, loop(3, log_every=1), tmp_path / "whole")
    often = loop(3, log_every=1, checkpoint_minutes=1e-9)
    with pytest.raises(Cut):
        run(stage, home, bank, model, often, tmp_path / "cut", cut_at(2))
    assert not (tmp_path / "cut" / "model").exists()
    run(stage, home, bank, model, often, tmp_path / "cut")
    weights = sorted((tmp_path / "whole").rglob("model/**/*.safetensors"))
    assert weights
    for path in weights:
        assert path.read_bytes() == (tmp_path / "cut" / path.relative_to(tmp_path / "whole")).read_bytes(), path


def test_adapters_change_the_adapter_alone(home, bank, model):
    run_adapters(adapters_of(model, loop(5)), bank, home / "adapters", "cpu", QUIET)
    after = home / "adapters" / "model"
    changed = {path.relative_to(model) for path in model.rglob("*.safetensors")}
    changed = {path for path in changed if (model / path).read_bytes() != (after / path).read_bytes()}
    assert {path.as_posix() for path in changed} == {
        "ip_adapter/ip_adapter.safetensors",
        "image_encoder/model.safetensors",
    }
    load_model(after, dtype=torch.float32)


def test_an_adapter_goes_on_learning(home, bank, model, tmp_path):
    """Without `fresh` it begins with the model's own, so whatever is new in it was learnt."""
    settings = adapters_of(model, loop(3)).model_copy(update={"fresh": False})
    run_adapters(settings, bank, tmp_path, "cpu", QUIET)
    name = "ip_adapter/ip_adapter.safetensors"
    before, after = load_file(model / name), load_file(tmp_path / "model" / name)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == {key for key in before if not key.endswith("bias")}


@pytest.mark.parametrize("method", ["phased", "trajectory", "adversarial", "lcm"])
def test_a_student_with_weights_of_its_own_loads(home, bank, model, tmp_path, method):
    run_distill(distill_of(model, loop(3), method=method), model, bank, tmp_path, "cpu", QUIET)
    base = load_model(tmp_path / "model", dtype=torch.float32).denoiser.unet.state_dict()
    student = load_model(tmp_path / "model", student="quick", dtype=torch.float32).denoiser.unet.state_dict()
    learnt = {name for name in base if not torch.equal(base[name], student[name])}
    assert learnt and not any("_ip" in name or "encoder_hid_proj" in name for name in learnt)
    final = load_file(tmp_path / "final" / "student.safetensors")
    assert all(torch.equal(final[name].half().float(), student[name]) for name in learnt)
    scheduler = (tmp_path / STUDENT / "scheduler" / "scheduler_config.json").read_text()
    sampler = "lcm" if method == "lcm" else "tcd"
    assert f"{sampler.upper()}Scheduler" in scheduler
    assert own_sampler(tmp_path / "model", "quick") == sampler


@pytest.fixture(scope="module")
def lora(home, bank, model):
    run_distill(distill_of(model, loop(3), rank=4), model, bank, home / "lora", "cpu", QUIET)
    return home / "lora"


def test_every_layer_of_a_lora_student_loads(lora):
    """W + B A of every pair that was trained, in our loader."""
    base = dict(load_model(lora / "model", dtype=torch.float32).denoiser.unet.named_parameters())
    student = dict(load_model(lora / "model", student="quick", dtype=torch.float32).denoiser.unet.named_parameters())
    trained = load_file(lora / "final" / "student.safetensors")
    firsts = [name for name in trained if ".lora_A." in name]
    assert len(firsts) > 50
    for first in firsts:
        a, b = trained[first], trained[first.replace("lora_A", "lora_B")]
        weight = first.split(".lora_A")[0] + ".weight"
        delta = (b.flatten(1) @ a.flatten(1)).view_as(base[weight])
        assert delta.abs().max() > 0
        assert torch.allclose(student[weight] - base[weight], delta, rtol=0.02, atol=2e-2 * float(delta.abs().max()))


def test_a_student_begins_with_another(lora, home, bank, model, tmp_path):
    before = load_file(lora / STUDENT / "pytorch_lora_weights.safetensors")
    little = loop(1).model_copy(update={"learning_rate": 1e-6})
    plan = distill_of(model, little, rank=4, start=lora / STUDENT)
    run_distill(plan, model, bank, tmp_path, "cpu", QUIET)
    after = load_file(tmp_path / STUDENT / "pytorch_lora_weights.safetensors")
    assert all(torch.allclose(before[key], after[key], atol=1e-4) for key in before)
    assert any(value.abs().max() > 1e-3 for key, value in after.items() if "lora_B" in key), "B begins as 0 elsewhere"
    with pytest.raises(UserError, match="no student of this shape"):
        run_distill(plan.model_copy(update={"rank": 2}), model, bank, tmp_path / "other", "cpu", QUIET)


def test_stock_diffusers_loads_a_lora_student(lora):
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(lora / "model", dtype=torch.float32)
    pipeline.load_lora_weights(lora / STUDENT)
    student = load_model(lora / "model", student="quick", dtype=torch.float32)
    torch.manual_seed(0)
    z, t, words = torch.randn(1, 4, 16, 16), torch.tensor([499]), torch.randn(1, 8, 128)
    none = {"image_embeds": [torch.zeros(1, 1, 128)]}
    with torch.no_grad():
        ours, theirs = (
            student.denoiser.unet(z, t, words, added_cond_kwargs=none).sample,
            pipeline.unet(z, t, words).sample,
        )
        pipeline.unload_lora_weights()
        plain = pipeline.unet(z, t, words).sample
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert not torch.allclose(plain, theirs, atol=1e-5)
    assert TCDScheduler.from_pretrained(lora / STUDENT / "scheduler").config.prediction_type == "sample"


@pytest.mark.parametrize(("steps", "teacher_steps"), [(4, 300), (4, 25), (3, 40)])
def test_a_teacher_that_misses_the_student_s_times_is_refused(home, bank, model, tmp_path, steps, teacher_steps):
    settings = distill_of(model, loop(1), steps=steps, teacher_steps=teacher_steps)
    with pytest.raises(UserError, match=f"teacher_steps {teacher_steps} must divide 1000"):
        run_distill(settings, model, bank, tmp_path / "out", "cpu", QUIET)
    assert not (tmp_path / "out").exists()


def test_a_guided_teacher_answers_as_cfg_scale_samples(bank, model):
    loaded, settings = load_model(model, "cpu", dtype=torch.float32), distill_of(model, loop(1), guidance=2.0)
    lessons = lessons_for(loaded, settings, bank, "cpu", QUIET.note)
    timing, (student, teacher) = timing_of(settings, loaded.schedule), pair(loaded, settings, "cpu", loaded)
    teaching = settings.how.begin(space_of(loaded, lessons))
    batch, noise, _ = lessons.draw(0)
    answers = {}
    for guidance in (1.0, 2.0):
        lesson = DistillJob(student, teacher, lessons, timing, teaching, loaded.codec, guidance=guidance).lesson(0)
        t = lesson.t[0]
        z = loaded.schedule.noisy(batch.latents, noise, t)
        answers[guidance] = lesson.teacher(z, t, lesson.control(z, t))
        expected = predictor(teacher, batch.conditions, guidance)(z, t)
        assert torch.allclose(answers[guidance], expected, atol=1e-4)
    assert not torch.allclose(answers[1.0], answers[2.0], atol=1e-3)
