"""A model is taught a sensor that nobody rendered before: a line scanner that is defined here."""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from fpsynth.console import Console
from fpsynth.dataset.row import png
from fpsynth.diffusion.denoiser.guidance import ask
from fpsynth.diffusion.model import load_model
from fpsynth.errors import UserError
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.leak import check_leak
from fpsynth.model_folder import default_model, knows, students, write_knows
from fpsynth.recipe import load_recipe
from fpsynth.sensor.touch import touch
from fpsynth.training import run
from fpsynth.training.adapt import AdaptSettings, own_prints, run_adapt
from fpsynth.training.adapt.mixed import MixedLatents
from fpsynth.training.adapt.prints import bank_of, read_prints
from fpsynth.training.batches import DropSettings, draw_batch
from fpsynth.training.data import CHUNK, BankSettings, build_bank, encode_bank
from fpsynth.training.distill import DistillSettings, run_distill
from fpsynth.training.loop import step_generator
from tests.inspect import population
from tests.training.tiny import CROPS, QUIET, Cut, cut_at, loop, quiet

RECIPE = Path(__file__).parents[2] / "recipes" / "train" / "adapt.yaml"


def line_scan(folder: Path, fingers, each: int, side: int = 256) -> Path:
    """Prints FINGER_IMPRESSION.png: pale grey on dark grey, every line a little off."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in fingers:
        finger = make_finger(np.random.default_rng(number), "whorl")
        for k in range(each):
            rng = np.random.default_rng([number, k])
            pressed = touch([capture(finger, CaptureSettings(width=side, height=side), rng)]).area[0].numpy()
            lines = 12 * rng.standard_normal((side, 1))
            grey = 170 + lines - 110 * pressed + 6 * rng.standard_normal((side, side))
            Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"{number}_{k}.png", dpi=(500, 500))
    return folder


@pytest.fixture(scope="module")
def prints(tmp_path_factory):
    return line_scan(tmp_path_factory.mktemp("adapt") / "prints", range(4), 3)


def settings_of(data, model, plan, **changes) -> AdaptSettings:
    return AdaptSettings(stage="adapt", data=data, model=model, crops=CROPS, loop=plan, **changes)


def adapted(data, model, bank, plan, out, console=QUIET, **changes) -> Path:
    settings = settings_of(data, model, plan, **changes)
    run_adapt(settings, own_prints(settings, out / "own", QUIET), bank, out, "cpu", console)
    return out / "model"


@dataclass(frozen=True)
class Telling(Console):
    """Keeps what is said."""

    said: list = field(default_factory=list)

    def note(self, text):
        self.said.append(text)


def test_students_that_are_changes_of_the_model_go_with_it_and_others_do_not(prints, model, bank, tmp_path):
    """A U-Net of its own has learnt nothing of the prints."""
    base, console = tmp_path / "base", Telling()
    run_distill(
        DistillSettings(model=model, name="lora", rank=2, crops=CROPS, loop=loop(1)),
        model, bank, tmp_path / "distill", "cpu", QUIET,
    )  # fmt: skip
    shutil.copytree(tmp_path / "distill" / "model", base)
    shutil.copytree(model / "unet", base / "students" / "quick" / "unet")
    after = adapted(prints, base, bank, loop(1), tmp_path / "run", console, rank=4)
    assert students(after) == ["lora"] and students(base) == ["lora", "quick"]
    load_model(after, student="lora", dtype=torch.float32)
    assert any(text.startswith("student quick: has weights of its own") for text in console.said)


def test_prints_of_others_in_the_folder_of_a_run_are_refused(home, prints, model, bank, tmp_path):
    """Before their bank takes the place of the one that the model learnt from."""
    other = shutil.copytree(prints, tmp_path / "other")
    (other / "0_0.png").rename(other / "0_9.png")
    (other / "0_1.png").unlink()

    def train(data, *changes):
        given = (f"data={data}", f"model={model}", f"bank={home / 'bank'}", "rank=2", "finisher=null", *changes)
        short = ("loop.steps=1", "loop.batch=2", "loop.precision=fp32", "crops.sizes={64: 1.0}")
        run.train("adapt", run.Order(recipe=RECIPE, overrides=(*given, *short), out=tmp_path / "run"), QUIET)

    train(prints)
    card, bytes_of = tmp_path / "run" / "model" / "README.md", tmp_path / "run" / "own" / "chunk-00000.safetensors"
    before = card.read_text(), bytes_of.read_bytes()
    with pytest.raises(UserError, match=r"run: its checkpoint was made from something else \(data\)"):
        train(other)
    assert (card.read_text(), bytes_of.read_bytes()) == before
    train(shutil.copytree(prints, tmp_path / "moved"))
    with pytest.raises(UserError, match=r"something else \(rank\)"):
        train(prints, "rank=4")


@pytest.mark.parametrize("rank", [4, 0])
def test_unet_and_words_learn_and_all_else_stays(prints, model, bank, tmp_path, rank):
    after = adapted(prints, model, bank, loop(3), tmp_path, rank=rank)
    files = {path.relative_to(model).as_posix() for path in model.rglob("*.safetensors")}
    changed = {name for name in files if (model / name).read_bytes() != (after / name).read_bytes()}
    assert changed == {"unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"}
    weights = load_file(after / "unet" / "diffusion_pytorch_model.safetensors")
    assert weights.keys() == load_file(model / "unet" / "diffusion_pytorch_model.safetensors").keys()
    load_model(after, dtype=torch.float32)
    assert knows(after).slots["sensor"] == (*knows(model).slots["sensor"], "own")
    assert "12 prints of 4 fingers" in (after / "README.md").read_text()


def test_a_run_that_was_cut_ends_with_the_same_weights(prints, model, bank, tmp_path):
    whole = adapted(prints, model, bank, loop(3, log_every=1), tmp_path / "whole", rank=4)
    often = loop(3, log_every=1, checkpoint_minutes=1e-9)
    with pytest.raises(Cut):
        adapted(prints, model, bank, often, tmp_path / "cut", cut_at(2), rank=4)
    cut = adapted(prints, model, bank, often, tmp_path / "cut", rank=4)
    for path in whole.rglob("*.safetensors"):
        assert path.read_bytes() == (cut / path.relative_to(whole)).read_bytes(), path


def test_recipes_say_own_to_a_model_that_was_taught_it_and_to_no_other(prints, model, bank, tmp_path):
    after = adapted(prints, model, bank, loop(1), tmp_path / "run", rank=4)
    recipe = tmp_path / "recipe.yaml"
    said = "identities: 1\nimpressions: 1\nprompt: {sensor: own}\nsampling: "
    recipe.write_text(said + f"{{model: {after}, student: none}}\n")
    assert load_recipe(recipe).recipe.prompt.sensor == {"own": 1.0}
    for other in ("virtual", str(default_model())):
        recipe.write_text(said + f"{{model: {other}}}\n")
        with pytest.raises(UserError, match=r"recipe\.yaml:3:\d+: prompt\.sensor: own is known only to a model"):
            load_recipe(recipe)


def test_what_cannot_be_used_is_named_and_the_rest_is(prints, tmp_path):
    held = line_scan(tmp_path / "held", range(2), 2)
    (held / "7_0.png").write_bytes(b"no picture")
    Image.new("L", (256, 256), 200).save(held / "7_1.png")
    with Image.open(held / "0_0.png") as image:
        image.save(held / "7_2.png", dpi=(200, 200))
    said = []
    found = list(read_prints(held, 500, said.append))
    assert sorted(one.picture.path.name for one in found) == ["0_0.png", "0_1.png", "1_0.png", "1_1.png"]
    assert [one.identity for one in found] == ["0", "0", "1", "1"]
    assert "not an image" in said[0] and "no ridges" in said[1] and "7_2.png" in said[2]
    assert "is the resolution" in said[2]


def test_pictures_in_colour_are_left_out_and_grey_ones_of_three_channels_are_not(prints, tmp_path):
    grey = Image.open(prints / "0_0.png")
    grey.convert("RGB").save(tmp_path / "1_0.png", dpi=(500, 500))
    warm = np.asarray(grey.convert("RGB"), float) * (1.0, 0.7, 0.5)
    Image.fromarray(warm.astype(np.uint8)).save(tmp_path / "2_0.png", dpi=(500, 500))
    said = []
    assert [one.identity for one in read_prints(tmp_path, 500, said.append)] == ["1"]
    assert len(said) == 1 and "2_0.png: is in colour" in said[0]


def test_prints_are_read_again_only_where_they_are_others(prints, model, tmp_path):
    said = []

    class Telling(type(QUIET)):
        def note(self, text):
            said.append(text)

    data = shutil.copytree(prints, tmp_path / "prints")
    settings, console = settings_of(data, model, loop(1)), Telling("human")
    first = own_prints(settings, tmp_path / "own", console)
    again = own_prints(settings, tmp_path / "own", console)
    assert (first.prints, first.fingers) == (again.prints, again.fingers) == (12, 4)
    assert said == ["read: 12 prints of 4 fingers"]
    (data / "3_2.png").unlink()
    assert own_prints(settings, tmp_path / "own", console).prints == 11 and len(said) == 2


@pytest.mark.parametrize(
    ("fingers", "each", "told"), [(3, 3, "9 prints can be used"), (1, 10, "all prints are of one")]
)
def test_too_few_prints_are_refused(model, tmp_path, fingers, each, told):
    data = line_scan(tmp_path, range(fingers), each)
    with pytest.raises(UserError, match=told):
        own_prints(settings_of(data, model, loop(1)), tmp_path / "own", QUIET)
    assert not (tmp_path / "own").exists()


def test_a_folder_that_is_not_there(model, tmp_path):
    with pytest.raises(UserError, match="nowhere: not found"):
        own_prints(settings_of(tmp_path / "nowhere", model, loop(1)), tmp_path / "own", QUIET)


def test_the_bank_shows_every_print_with_what_is_seen_of_it(prints, tmp_path):
    held = list(read_prints(prints, 500, quiet))
    bank = bank_of(held, tmp_path / "bank").bank
    assert len(bank) == CHUNK and bank.planes == ("ridge", "contact", "load", "touch")
    seen = {bank.image(i)[:256, :256].numpy().tobytes() for i in range(len(bank))}
    assert seen == {one.picture.image.tobytes() for one in held}
    image, planes = bank.image(3).float(), bank.planes_crop(3, 0, 0, 512).float()
    assert torch.equal(image[255 - 9, :256], image[255 + 9, :256]), "continued as in a mirror"
    inside = planes[1] > 250
    assert np.corrcoef(planes[3][inside], -image[inside])[0, 1] > 0.7
    assert {label.words["sensor"] for label in bank.labels} == {"own"}
    assert all(bank.labels[j].identity != bank.labels[i].identity for i in range(8) for j in bank.partners[i])


def test_large_prints_are_cut_into_pieces(tmp_path):
    held = list(read_prints(line_scan(tmp_path / "large", [3], 1, side=640), 500, quiet))
    bank = bank_of(held, tmp_path / "bank").bank
    pieces = {bank.image(i).numpy().tobytes() for i in range(len(bank))}
    whole = held[0].picture.image
    assert pieces == {whole[y : y + 512, x : x + 512].tobytes() for y in (0, 128) for x in (0, 128)}


def test_half_of_what_is_learnt_from_is_the_renders(prints, bank, source, tmp_path):
    own = bank_of(read_prints(prints, 500, quiet), tmp_path).bank
    mixed = MixedLatents(encode_bank(own, FakeCodec(), "cpu", quiet), source).bank
    assert [mixed.at(k)[0] for k in range(4)] == [0, 1, 0, 1] and len(mixed) == 2 * CHUNK
    assert [label.words["sensor"] == "own" for label in mixed.labels] == [True, False] * CHUNK
    assert torch.equal(mixed.image(5), bank.image(2)) and torch.equal(mixed.image(4), own.image(2))
    generator = step_generator(0, 0)
    assert all(mixed.partner(k, generator) % 2 == k % 2 for k in range(8))


class FakeCodec:
    quick = True


@pytest.mark.slow
def test_the_bundled_model_learns_the_scanner_and_forgets_nothing(tmp_path):
    """Error of the model's estimates on other fingers' prints of the scanner, and on renders, before and after."""
    data = line_scan(tmp_path / "prints", range(5), 4)
    bank = build_bank(tmp_path / "bank", BankSettings(images=128), quiet)
    crops = CROPS.model_copy(update={"sizes": {128: 1.0}})
    plan = loop(120, batch=4, learning_rate=5e-4, warmup=10, ema=0.95)
    settings = settings_of(data, None, plan).model_copy(update={"crops": crops})
    run_adapt(settings, own_prints(settings, tmp_path / "run" / "own", QUIET), bank, tmp_path / "run", "cpu", QUIET)
    others = bank_of(read_prints(line_scan(tmp_path / "others", range(20, 23), 2), 500, quiet), tmp_path / "held").bank
    before, after = (
        [error(load_model(folder, dtype=torch.float32), known) for known in (others, bank)]
        for folder in (default_model(), tmp_path / "run" / "model")
    )
    assert after[0] < 0.9 * before[0] and after[1] < 1.05 * before[1]


TOLD = DropSettings(slot=0, rare_slot=0, prompt=0, control=0, style=1)


@torch.no_grad()
def error(model, bank) -> float:
    """Of the clean latent, under words and style, at middling and much noise."""
    source, generator = encode_bank(bank, model.codec, "cpu", quiet), step_generator(5, 5)
    batch = draw_batch(
        source,
        generator,
        12,
        128,
        DropSettings(slot=0, rare_slot=0, prompt=0, control=0, style=1),
        model.denoiser.planes,
    )
    noise, t = torch.randn(batch.latents.shape, generator=generator), torch.linspace(400, 950, 12).long()
    z = model.schedule.noisy(batch.latents, noise, t)
    clean = model.schedule.clean(z, ask(model.denoiser, model.denoiser.tell(batch.conditions), z, t), t)
    return float((clean - batch.latents).square().mean())


def test_prints_in_one_parquet_file_are_compared_too(tmp_path, monkeypatch):
    monkeypatch.setattr("fpsynth.leak.generate", lambda order, console: population.build(order.out))
    shown = {(i, k): png(population.row(i, k)) for i in range(3) for k in range(2)}
    rows = [{"image": {"bytes": encoded, "path": None}, "label": i} for (i, _), encoded in shown.items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "prints.parquet")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "README.md").write_text("A model.\n")
    (tmp_path / "settings.json").write_text(json.dumps({"data": str(tmp_path / "prints.parquet"), "ppi": 500}))
    told = check_leak(tmp_path, "cpu", QUIET)
    assert (told["images"], told["training_images"]) == (18, 6) and told["flagged"] >= 6


@pytest.mark.slow
def test_the_card_says_whether_the_prints_come_back(prints, tmp_path):
    """Prints that are the very images that the model draws come back."""
    run = tmp_path / "run"
    shutil.copytree(default_model(), run / "model")
    known = knows(default_model())
    write_knows(run / "model", replace(known, slots={**known.slots, "sensor": (*known.slots["sensor"], "own")}))
    card = run / "model" / "README.md"

    def checked(data: Path) -> dict:
        (run / "settings.json").write_text(json.dumps({"data": str(data), "ppi": 500}))
        return check_leak(run, "cpu", QUIET, images=16, side=384)  # of fewer, strangers say no threshold

    told = checked(prints)
    assert (told["images"], told["training_images"]) == (16, 12) and told["flagged"] <= 1
    assert f"{told['flagged']} of 16 images" in card.read_text()
    repeated = tmp_path / "repeated"
    repeated.mkdir()
    for row in pq.read_table(next((run / "leak" / "images" / "data").glob("*.parquet"))).to_pylist():
        (repeated / f"{row['identity']}_{row['impression']}.png").write_bytes(row["image"]["bytes"])
    flagged = checked(repeated)["flagged"]
    assert flagged >= 14  # one or two may be too small a piece to be known again
    assert f"{flagged} of 16 images" in card.read_text() and card.read_text().count("## Whether") == 1
