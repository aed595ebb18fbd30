"""Prints edited by a tiny untrained model (what is kept, recorded, refused), and by the bundled one (what is seen)."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fpsynth.console import Console
from fpsynth.edit.ledger import Ledger
from fpsynth.edit.run import edit
from fpsynth.edit.studio import Order
from fpsynth.errors import UserError
from fpsynth.extractor import chosen, extract
from fpsynth.extractor.match import compare
from fpsynth.extractor.picture import read_picture
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.minutiae import Minutia
from fpsynth.rng import Stream, generator
from fpsynth.sensor import draw_device, render
from tests.diffusion.conftest import bundle  # noqa: F401
from tests.prints import grid, planted


@pytest.fixture
def prints(tmp_path):
    """Two prints of different sizes, one of them partial."""
    folder = tmp_path / "prints"
    folder.mkdir()
    whole = planted(grid(), seed=1)
    part = np.full((256, 256), 245, np.uint8)
    part[60:200, 60:200] = whole[100:240, 100:240]
    Image.fromarray(whole).save(folder / "whole.png", dpi=(500, 500))
    Image.fromarray(part).save(folder / "part.bmp")
    return folder


def run(prints: Path, verb: str, out: str, *overrides: str, model: Path | None = None, **options) -> bool:
    named = (f"sampling.model={model}",) if model else ()
    order = Order(verb=verb, images=(prints,), out=prints.parent / out, overrides=(*named, *overrides), **options)
    return edit(order, Console("silent"))


def grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("verb", ["restyle", "refine", "complete"])
def test_each_print_is_written_by_its_name_in_its_size_with_a_record(verb, prints, bundle):  # noqa: F811
    assert run(prints, verb, "out", model=bundle)
    for name, size, ppi in (("whole", (480, 400), 500), ("part", (256, 256), 500)):
        image = Image.open(prints.parent / "out" / f"{name}.png")
        assert image.size == size and round(image.info["dpi"][0]) == ppi
        assert verb in image.text["Description"]
        record = json.loads((prints.parent / "out" / f"{name}.json").read_text())
        origins = {m["origin"] for m in record["minutiae"]}
        assert origins <= ({"extracted", "imagined"} if verb == "complete" else {"extracted"})


def test_a_completed_print_keeps_its_pixels_and_says_what_is_imagined(prints, bundle):  # noqa: F811
    run(prints, "complete", "out", model=bundle)
    before, after = grey(prints / "part.bmp"), grey(prints.parent / "out" / "part.png")
    assert np.array_equal(before[90:170, 90:170], after[90:170, 90:170])
    assert not np.array_equal(before[:50], after[:50])
    record = json.loads((prints.parent / "out" / "part.json").read_text())
    inside = read_picture(prints / "part.bmp", 500).seen.mask
    for m in record["minutiae"]:
        if m["origin"] == "imagined":
            assert not inside[int(m["y"]), int(m["x"])]


def test_upscaled_prints_are_twice_as_fine_and_keep_their_means(prints):
    assert run(prints, "upscale", "out")
    for name in ("whole.png", "part.bmp"):
        before, after = Image.open(prints / name), Image.open((prints.parent / "out" / name).with_suffix(".png"))
        assert after.size == (2 * before.width, 2 * before.height) and round(after.info["dpi"][0]) == 1000
        four = np.asarray(after, float).reshape(before.height, 2, before.width, 2)
        off = np.abs(four.mean((1, 3)) - np.asarray(before, float))
        assert off.max() <= 4 and np.percentile(off, 99) <= 1  # more where it would leave black or white
        smooth = np.asarray(before.resize(after.size, Image.Resampling.BICUBIC), float)
        assert np.abs(np.asarray(after, float) - smooth).mean() > 0.2
        record = json.loads((prints.parent / "out" / name).with_suffix(".json").read_text())
        seen = [Minutia(m["x"] / 2, m["y"] / 2, m["angle"], m["kind"]) for m in record["minutiae"]]
        assert seen and compare(seen, extract("skeleton", np.asarray(before), 500)).recall == 1


def test_only_prints_of_about_500_ppi_are_upscaled(prints, capsys):
    Image.open(prints / "whole.png").resize((960, 800)).save(prints / "fine.png", dpi=(1000, 1000))
    assert not run(prints, "upscale", "out")
    assert "fine.png: has 1000 ppi" in capsys.readouterr().err
    assert sorted(path.stem for path in (prints.parent / "out").glob("*.png")) == ["part", "whole"]


def test_what_was_edited_so_stays_and_other_orders_make_it_anew(prints, bundle):  # noqa: F811
    run(prints, "refine", "out", model=bundle)
    path = prints.parent / "out" / "whole.png"
    first, stamp = path.read_bytes(), path.stat().st_mtime_ns
    run(prints, "refine", "out", model=bundle)
    assert path.stat().st_mtime_ns == stamp
    path.unlink()
    run(prints, "refine", "out", model=bundle)
    assert path.read_bytes() == first
    run(prints, "refine", "out", model=bundle, strength=1.0)
    assert path.read_bytes() != first


@pytest.mark.parametrize(("name", "other"), [("natural_dtype", "torch.float16"), ("version", "0.1")])
def test_what_another_machine_edited_is_made_anew(name, other, prints, monkeypatch):
    path, known = prints / "whole.png", {"out": prints.parent / "out", "verb": "refine", "how": "so"}
    Ledger(**known, device="cpu").write(path, 500, grey(path), {})
    assert Ledger(**known, device="cpu").done(path) and not Ledger(**known, device="cuda").done(path)
    monkeypatch.setattr(f"fpsynth.diffusion.model.{name}", lambda asked: other)
    assert not Ledger(**known, device="cpu").done(path)


def test_strength_decides_how_much_of_a_print_stays(prints, bundle):  # noqa: F811
    before = grey(prints / "whole.png").astype(float)
    gaps = []
    for strength in (0.1, 0.5, 1.0):
        run(prints, "refine", f"out{strength}", "sampling.steps=10", model=bundle, strength=strength)
        gaps.append(np.abs(grey(prints.parent / f"out{strength}" / "whole.png") - before).mean())
    assert gaps == sorted(gaps)


@pytest.mark.parametrize("sensor", ["optical", "capacitive", "thermal"])
def test_a_print_says_the_words_that_nobody_says(sensor, tmp_path, bundle):  # noqa: F811
    finger = make_finger(generator(1, Stream.FINGER, 0), "whorl")
    rng = generator(1, Stream.CAPTURE, 0)
    impression = capture(finger, CaptureSettings(width=384, height=384), rng)
    folder = tmp_path / "prints"
    folder.mkdir()
    Image.fromarray(render(impression, draw_device(sensor, rng), rng).numpy()).save(folder / "a.png", dpi=(500, 500))

    def prompt(verb: str, out: str, *overrides: str) -> str:
        run(folder, verb, out, *overrides, model=bundle)
        return json.loads((tmp_path / out / "a.json").read_text())["prompt"]

    assert f"{sensor} sensor" in prompt("refine", "read")
    assert "ink sensor" in prompt("refine", "said", "prompt.sensor=ink")
    assert "sensor" not in prompt("refine", "styled", f"style.images={folder / 'a.png'}")
    assert "sensor" not in prompt("restyle", "restyled")


def test_what_cannot_be_edited_is_named_and_the_rest_is_done(prints, bundle, capsys):  # noqa: F811
    (prints / "broken.png").write_bytes(b"no image")
    Image.new("L", (200, 200), 255).save(prints / "blank.png")
    assert not run(prints, "restyle", "out", model=bundle)
    said = capsys.readouterr().err
    assert "broken.png: not an image that can be read" in said
    assert "blank.png: no ridges were found in it" in said
    assert sorted(path.stem for path in (prints.parent / "out").glob("*.png")) == ["part", "whole"]


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (("sampling.model=virtual", "prompt.sensor=ink"), "a diffusion model is needed"),
        (("prompt.sensr=ink",), "did you mean sensor"),
        (
            ("sampling.guide={sensor: 2}", "sampling.student=none", "sampling.steps=12", "prompt.sensor=ink"),
            "sampling.guide",
        ),
    ],
)
def test_orders_that_cannot_be_followed(overrides, line, prints):
    with pytest.raises(UserError, match=line):
        run(prints, "restyle", "out", *overrides)


def test_names_that_fall_together_are_refused(prints, bundle):  # noqa: F811
    Image.open(prints / "whole.png").save(prints / "whole.bmp")
    with pytest.raises(UserError, match=r"would both be written as whole\.png"):
        run(prints, "restyle", "out", model=bundle)


def test_originals_are_never_written_over(prints, bundle):  # noqa: F811
    with pytest.raises(UserError, match="holds the originals"):
        run(prints, "restyle", "prints", model=bundle)


def test_the_command_names_its_verbs():
    command = [sys.executable, "-m", "fpsynth", "edit", "sharpen", "x.png", "-o", "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "restyle, refine, complete" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "least"), [("restyle", 0.8), ("refine", 0.85)])
def test_the_bundled_model_keeps_the_ridges_of_a_print(verb, least, prints):
    run(prints, verb, "out", "prompt.sensor=optical")
    before, after = (
        extract(chosen(), grey(path), 500) for path in (prints / "whole.png", prints.parent / "out" / "whole.png")
    )
    truth = [Minutia(m.x, m.y, m.angle, "ending") for m in before if m.reliability > 0.3]
    assert compare(truth, after).recall > least
