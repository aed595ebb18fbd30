"""A directory of Stable Diffusion 1.5's format as what training begins with: by the command line's own path."""

import json

import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline

from fpsynth.diffusion.denoiser.guidance import ask
from fpsynth.diffusion.model import load_model
from fpsynth.errors import UserError
from fpsynth.model_folder import knows, students
from fpsynth.recipe import load_recipe
from fpsynth.training.batches import DropSettings, draw_batch
from fpsynth.training.data import Bank, encode_bank
from fpsynth.training.loop import step_generator
from tests.diffusion.stock import save_stock
from tests.training.test_adapt import line_scan
from tests.training.test_run import RECIPES, SMALL, distill, train
from tests.training.tiny import quiet

ALL = DropSettings(slot=0, rare_slot=0, prompt=0, control=0, style=1)


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    return save_stock(tmp_path_factory.mktemp("stock") / "sd")


@pytest.fixture(scope="module")
def prints(tmp_path_factory):
    return line_scan(tmp_path_factory.mktemp("own") / "prints", range(5), 2)


def changed(before, after):
    """Weights that are other bytes, or new."""
    files = {path.relative_to(after).as_posix() for path in after.rglob("*.safetensors")}
    return {n for n in files if not (before / n).is_file() or (before / n).read_bytes() != (after / n).read_bytes()}


def stock_opens(folder):
    """Whether the pipeline that the index names has every part of the model."""
    return StableDiffusionControlNetPipeline.from_pretrained(folder, dtype=torch.float32).unet is not None


@torch.no_grad()
def error(folder, bank):
    """Of the predicted noise, under the words of the bank."""
    model, generator = load_model(folder, dtype=torch.float32), step_generator(5, 5)
    source = encode_bank(bank, model.codec, "cpu", quiet)
    batch = draw_batch(source, generator, 16, 64, ALL, model.denoiser.planes)
    noise, t = torch.randn(batch.latents.shape, generator=generator), torch.linspace(100, 950, 16).long()
    z = model.schedule.noisy(batch.latents, noise, t)
    return float((ask(model.denoiser, model.denoiser.tell(batch.conditions), z, t) - noise).square().mean())


@pytest.mark.slow
def test_adapt_teaches_it_the_word(stock, prints, home, bank, tmp_path):
    steps = ("loop.steps=40", "loop.batch=4", "loop.ema=0.5", "rank=8", "finisher=null")
    given = (f"data={prints}", f"model={stock}", f"bank={home / 'bank'}", *SMALL, *steps)
    train("adapt", RECIPES / "train" / "adapt.yaml", given, tmp_path / "run")
    after = tmp_path / "run" / "model"
    assert changed(stock, after) == {"unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"}
    own = Bank(tmp_path / "run" / "own")
    assert error(after, own) < 0.9 * error(stock, own)
    assert stock_opens(after)
    known = knows(after)
    assert {"ink", "optical", "own"} == set(known.slots["sensor"]) and known.planes == ("ridge", "contact", "load")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "identities: 1\nimpressions: 1\nprompt: {sensor: own}\nsampling: {model: run/model, student: none}\n"
    )
    assert load_recipe(recipe).recipe.sampling.scheduler == "ddim"


def test_adapters_begin_an_ip_adapter_and_then_go_on(stock, home, bank, tmp_path):
    recipe, given = RECIPES / "train" / "adapters.yaml", (f"bank={home / 'bank'}", *SMALL)
    with pytest.raises(UserError, match="has no style adapter to go on with; --set fresh=true"):
        train("adapters", recipe, (f"model={stock}", "fresh=false", *given), tmp_path / "none")
    train("adapters", recipe, (f"model={stock}", "fresh=true", *given), tmp_path / "first")
    first = tmp_path / "first" / "model"
    assert changed(stock, first) == {"image_encoder/model.safetensors", "ip_adapter/ip_adapter.safetensors"}
    train("adapters", recipe, (f"model={first}", "fresh=false", *given), tmp_path / "second")
    assert "image_encoder" in load_model(tmp_path / "second" / "model").denoiser.parts


@pytest.mark.parametrize("rank", [0, 2])
def test_a_student_of_it(stock, home, bank, tmp_path, rank):
    given = (f"model={stock}", f"bank={home / 'bank'}", f"rank={rank}", "name=quick", *SMALL)
    distill(RECIPES / "distill" / "trajectory.yaml", given, tmp_path)
    assert students(tmp_path / "model") == ["quick"]
    load_model(tmp_path / "model", student="quick")


@pytest.mark.parametrize("controlled", [True, False])
def test_the_denoiser_stage_goes_on_with_it_and_begins_a_controlnet_where_there_is_none(
    home, bank, tmp_path, controlled
):
    start = save_stock(tmp_path / "sd", controlled=controlled)
    planes = ("planes=[ridge, touch]",) if not controlled else ()
    given = (f"start={start}", f"bank={home / 'bank'}", *SMALL, *planes)
    train("denoiser", RECIPES / "train" / "base.yaml", given, tmp_path / "run")
    made = tmp_path / "run" / "model"
    assert stock_opens(made) and knows(made).planes == (
        ("ridge", "contact", "load") if controlled else ("ridge", "touch")
    )
    torch.manual_seed(0)  # of the run: what a new ControlNet begins with
    before = load_model(start, dtype=torch.float32, begin=knows(made).planes)
    model = load_model(made, dtype=torch.float32)
    assert model.schedule.prediction == "epsilon" and "image_encoder" not in model.denoiser.parts
    assert torch.equal(model.schedule.alphas_cumprod, before.schedule.alphas_cumprod)
    assert not json.loads((made / "scheduler" / "scheduler_config.json").read_text())["clip_sample"]
    for name, part in before.denoiser.parts.items():
        pairs = zip(part.parameters(), model.denoiser.parts[name].parameters(), strict=True)
        near = [torch.allclose(before, after, atol=2e-3) for before, after in pairs]
        assert all(near), f"{name} begins as the start's"


def test_a_new_controlnet_changes_nothing_before_it_learns(tmp_path):
    """So the base is not spoilt: its first prediction is the U-Net's own."""
    start = save_stock(tmp_path / "sd", controlled=False)
    denoiser = load_model(start, dtype=torch.float32, begin=("ridge", "contact", "load")).denoiser
    z, t, words = torch.randn(2, 4, 8, 8), torch.tensor([10, 900]), denoiser._text(["a fingerprint", ""])
    down, middle = denoiser.controlnet(
        z, t, encoder_hidden_states=words, controlnet_cond=torch.rand(2, 3, 64, 64), return_dict=False
    )
    assert all(not residual.any() for residual in (*down, middle))


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("start=null",), "null takes that of `start`, which names no model"),
        (("network={kind: unet}",), "network: is that of `start`"),
        (("prediction=epsilon",), "prediction: is that of `start`"),
    ],
)
def test_settings_that_contradict_the_start(stock, tmp_path, overrides, told):
    with pytest.raises(UserError, match=told):
        train("denoiser", RECIPES / "train" / "base.yaml", (f"start={stock}", *overrides), tmp_path / "run")


def test_stages_that_need_a_controlnet_say_so(home, bank, prints, tmp_path):
    bare = save_stock(tmp_path / "sd", controlled=False)
    given = (f"model={bare}", f"bank={home / 'bank'}", *SMALL)
    for stage, more in (("adapt", (f"data={prints}", "finisher=null")), ("adapters", ("fresh=true",))):
        with pytest.raises(UserError, match="controlnet/ is missing") as caught:
            train(stage, RECIPES / "train" / f"{stage}.yaml", (*given, *more), tmp_path / stage)
        assert len(str(caught.value).splitlines()) == 1


def test_a_finisher_is_refused(stock, home, bank, tmp_path):
    given = (f"model={stock}", f"bank={home / 'bank'}", "student=null", "loop.steps=1", "loop.precision=fp32")
    with pytest.raises(UserError, match="its noise is not on pixels"):
        train("finisher", RECIPES / "train" / "finisher.yaml", given, tmp_path / "run")
