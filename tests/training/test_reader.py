"""The reader stage on waves, which are strong on normal skin and weak on dry skin."""

import json
from dataclasses import replace

import pytest
import torch

from fpsynth.diffusion.model import load_model
from fpsynth.errors import UserError
from fpsynth.model_folder import default_model
from fpsynth.reader.bundled import default_reader
from fpsynth.reader.reader import load_reader
from fpsynth.training.data import Bank, Labels, add_images, to_signed
from fpsynth.training.reader import ReaderSettings, run_reader
from fpsynth.training.reader.lessons import OPEN, answers, noisy, vocabulary
from fpsynth.training.views import placed
from tests.training.tiny import QUIET, WORDS, Cut, cut_at, loop, waves


@pytest.fixture(scope="module")
def skins(home):
    """Waves, strong on normal skin and weak on dry skin; the last 16 images are strong and weak in turn."""
    images, planes, labels = waves()
    dry = torch.arange(len(images)) % 2 == 0
    weak = (images.float() - 128) * 0.3 + 128
    shown = torch.where(dry[:, None, None], weak, images.float()).to(torch.uint8)
    words = [{"skin": "dry" if is_dry else "normal"} for is_dry in dry.tolist()]
    add_images(
        home / "skins", shown, planes, [replace(o, words=o.words | w) for o, w in zip(labels, words, strict=True)]
    )
    return Bank(home / "skins")


def settings(plan, **changes):
    return ReaderSettings(stage="reader", loop=plan, sides=(64,), held_out=16, **changes)


def test_a_short_run_reads_skin_also_through_noise(home, skins):
    run_reader(settings(loop(30, batch=16)), skins, home / "reader", "cpu", QUIET)
    reader = load_reader(home / "reader" / "reader")
    assert reader.words == {
        "sensor": ("optical", "ink"),
        "skin": ("normal", "dry"),
    }  # the waves have two words of these
    assert reader.prior["sensor"].tolist() == pytest.approx([1 / 3, 2 / 3], abs=1e-3)  # the 16 held out are optical
    assert reader.accuracy["skin"] == 1
    assert reader.confusion["skin"].tolist() == [[1, 0], [0, 1]]
    assert reader.read([skins.image(k).numpy() for k in range(4)]).said("skin") == ["dry", "normal"] * 2
    z = reader.network(*_noisy(skins, 4, t=400))["skin"]
    assert z.argmax(1).tolist() == [1, 0, 1, 0]


def _noisy(bank, count, t):
    """Images as the bundled model's noisy latents show them at time t."""
    model, times = load_model(default_model(), dtype=torch.float32), torch.full((count,), t)
    images = to_signed(torch.stack([bank.image(k) for k in range(count)])[:, None])
    return noisy(images, times, model.codec, model.schedule, torch.Generator().manual_seed(0))


def test_a_run_that_was_cut_ends_with_the_same_reader(bank, tmp_path):
    run_reader(settings(loop(3, log_every=1)), bank, tmp_path / "whole", "cpu", QUIET)
    often = settings(loop(3, log_every=1, checkpoint_minutes=1e-9))
    with pytest.raises(Cut):
        run_reader(often, bank, tmp_path / "cut", "cpu", cut_at(2))
    run_reader(often, bank, tmp_path / "cut", "cpu", QUIET)
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "whole" / "reader" / name).read_bytes() == (tmp_path / "cut" / "reader" / name).read_bytes()


def test_the_metrics_say_how_well_each_slot_is_read(home):
    last = json.loads((home / "reader" / "metrics.jsonl").read_text().splitlines()[-1])
    assert 0 <= last["sensor"] <= 1


def test_it_goes_on_from_a_reader_of_the_same_words(home, skins, bank, tmp_path):
    """One more step, hardly any: as good as it was. From one of other words it does not."""
    start = home / "reader" / "reader"
    run_reader(settings(loop(1, batch=16, learning_rate=1e-6), start=start), skins, tmp_path, "cpu", QUIET)
    assert load_reader(tmp_path / "reader").accuracy["skin"] == 1
    with pytest.raises(UserError, match="reads other words"):
        run_reader(settings(loop(1), start=default_reader()), bank, tmp_path / "other", "cpu", QUIET)


def test_a_bank_of_held_out_images_alone_is_refused(bank, tmp_path):
    with pytest.raises(UserError, match="none is left to learn from"):
        run_reader(ReaderSettings(stage="reader", loop=loop(1), held_out=64), bank, tmp_path, "cpu", QUIET)


def test_a_mirror_turns_loops_round_and_open_slots_teach_nothing():
    label = Labels(0, 0, WORDS)
    found = answers({"pattern": ("left_loop", "right_loop"), "surface": ("glass", "card")}, [label] * 2, [False, True])
    assert found["pattern"].tolist() == [0, 1]
    assert found["surface"].tolist() == [OPEN, OPEN]


def test_words_are_those_that_the_labels_bear_in_the_tables_order():
    labels = [Labels(0, 0, WORDS | {"skin": skin, "sensor": "ink"}) for skin in ("wet", "normal")]
    assert vocabulary(labels) == {"skin": ("normal", "wet")}


def test_every_other_crop_is_the_image_pixel_by_pixel():
    """Where it is not resized: along a slope of one grey level a pixel."""
    slope = torch.arange(512.0).expand(16, 1, 512, 512)
    steps = placed(slope, 128, torch.Generator().manual_seed(1))[:, 0, 0].diff(dim=1)
    exact = (steps - 1).abs().amax(1) < 1e-3
    assert 4 <= exact.sum() <= 12
    assert (steps.mean(1) - 1).abs().max() < 0.13
