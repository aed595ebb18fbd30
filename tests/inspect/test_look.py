"""Figures against figures that are worked out in another way, and every kind of path that can be looked at."""

import itertools
import json
import struct
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fpsynth.dataset.row import Row, png
from fpsynth.errors import UserError
from fpsynth.extractor.mindtct import available
from fpsynth.inspect.look import Options, inspect_path
from fpsynth.inspect.measure import matching
from fpsynth.inspect.measure.dataset import _sample
from fpsynth.inspect.measure.image import deep
from fpsynth.inspect.measure.record import Record
from tests.inspect.population import IDENTITIES, IMPRESSIONS, build, row
from tests.prints import planted

nist = pytest.mark.skipif(not available(), reason="nbis-python is not installed")
QUICK = Options(judges=False, cache=False, workers=1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("look") / "o")


@nist
def test_judges_agree_with_the_tools_called_directly(dataset: Path) -> None:
    import nbis

    judge = nbis.new_nbis_extractor(
        nbis.NbisExtractorSettings(
            min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=True, ppi=500.0
        )
    )
    rows = [row(i, k) for i in range(IDENTITIES) for k in range(IMPRESSIONS)]
    templates = [judge.extract_minutiae(png(r)) for r in rows]
    pairs = list(itertools.combinations(range(len(rows)), 2))
    mated = [templates[a].compare(templates[b]) for a, b in pairs if rows[a].identity == rows[b].identity]
    other = [templates[a].compare(templates[b]) for a, b in pairs if rows[a].identity != rows[b].identity]
    seen = inspect_path(dataset, Options(judges=True, cache=False, workers=2)).figures["judges"]
    assert seen["nfiq2"]["mean"] == round(np.mean([t.quality().score for t in templates]), 2)
    assert seen["minutiae"]["mean"] == round(np.mean([len(t.get()) for t in templates]), 2)
    told = seen["bozorth3"]
    assert (told["mated"]["pairs"], told["mated"]["median"]) == (len(mated), np.median(mated))
    assert (told["non_mated"]["pairs"], told["non_mated"]["p99"]) == (len(other), np.percentile(other, 99))
    assert told["non_mated"]["mean"] == round(np.mean(other), 2)


def test_rates_of_scores_worked_out_by_hand() -> None:
    mated, other = np.array([10.0, 20, 30, 40]), np.array([1.0, 2, 3, 15, 25])
    found = matching.rates(mated, other)
    assert found.eer == pytest.approx((0.2 + 0.25) / 2)  # at 16..20: one of five above, one of four below
    assert found.tar[0.01] == 0.5


def test_confidence_intervals_hold_the_rate_and_shrink() -> None:
    def spread(identities: int) -> float:
        rng = np.random.default_rng(1)
        pairs, owner = matching.draw_pairs([n // 4 for n in range(identities * 4)])
        mated, other = rng.normal(3, 1, len(pairs.mated)), rng.normal(0, 1, len(pairs.non_mated))
        low, high = matching.bootstrap(matching.Scores(pairs, mated, other, owner))
        assert low[0] <= 0.0668 <= high[0]  # Phi(-1.5)
        return high[0] - low[0]

    assert spread(80) < 0.6 * spread(20)


@pytest.mark.parametrize("sizes", [(3, 3, 2), (1, 4), (40,) * 30])
def test_pairs_are_mated_and_non_mated(sizes: tuple[int, ...]) -> None:
    names = [n for n, size in enumerate(sizes) for _ in range(size)]
    pairs, owner = matching.draw_pairs(names)
    assert (owner[pairs.mated[:, 0]] == owner[pairs.mated[:, 1]]).all() and len(pairs.mated)
    assert (owner[pairs.non_mated[:, 0]] != owner[pairs.non_mated[:, 1]]).all()
    every = list(itertools.combinations(names, 2))
    assert pairs.possible_mated == sum(a == b for a, b in every)
    assert pairs.possible_non_mated == sum(a != b for a, b in every)
    assert len({tuple(p) for p in pairs.non_mated.tolist()}) == min(6000, pairs.possible_non_mated)


def test_ridge_period_and_foreground_of_a_known_wave() -> None:
    page = np.full((512, 512), 255, np.uint8)
    page[100:400, 120:380] = planted([], 300, 260, turn=30)
    found = deep(page, 500)
    assert found.period == pytest.approx(9, abs=0.15) and found.spread is not None and found.spread < 0.3
    assert found.area == pytest.approx(300 * 260 * (25.4 / 500) ** 2, rel=0.08)
    double = np.asarray(Image.fromarray(page).resize((1024, 1024), Image.Resampling.BICUBIC))
    assert deep(double, 1000).period == pytest.approx(9, abs=0.15)


def test_parquet_and_png_give_the_same_figures(dataset: Path, tmp_path: Path) -> None:
    one = inspect_path(dataset, QUICK).figures
    other = inspect_path(build(tmp_path / "png", form="png"), QUICK).figures
    for figures in (one, other):
        for key in ("path", "format"):
            del figures[key]
    assert one == other
    assert json.loads(json.dumps(one)) == one


def test_a_second_look_is_the_same_from_the_cache(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = Options(judges=False, workers=1)
    first = inspect_path(dataset, options).figures
    monkeypatch.setattr("fpsynth.inspect.measure.scan.deep", None)
    assert inspect_path(dataset, options).figures == first


def test_other_weights_of_our_own_extractor_look_again(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("fpsynth.extractor.mindtct.missing", lambda: "not wanted")
    inspect_path(dataset, Options(workers=1))
    looked: list[int] = []
    monkeypatch.setattr("fpsynth.inspect.measure.scan.judge", lambda *_: looked.append(1))
    inspect_path(dataset, Options(workers=1))
    assert not looked
    monkeypatch.setattr("fpsynth.extractor.network.extractor_digest", lambda: "other")
    inspect_path(dataset, Options(workers=1))
    assert len(looked) == 18


def test_who_judged_when_it_was_made(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def judged(rows: list[Row]) -> list[Row]:
        return [replace(r, gate=replace(r.gate, extractor="mindtct" if r.identity else "skeleton")) for r in rows]

    assert "extractor" not in inspect_path(dataset, QUICK).figures["gate"]
    seen = inspect_path(build(tmp_path / "o", judged), QUICK)
    assert seen.figures["gate"]["extractor"] == {"mindtct": 15, "skeleton": 3}
    seen.show()
    assert "mindtct (15), fpsynth's own extractor (3)" in capsys.readouterr().out


def test_in_depth_at_a_sample_of_whole_identities(dataset: Path) -> None:
    figures = inspect_path(dataset, Options(judges=False, cache=False, workers=1, limit=9)).figures
    assert (figures["images"], figures["image"]["measured"]) == (18, 9)


def test_plain_folders_name_fingers_by_file_or_by_folder(tmp_path: Path) -> None:
    for identity, impression in itertools.product(range(3), range(2)):
        image = Image.fromarray(row(identity, impression).image)
        for path in (
            tmp_path / f"names/10{identity}_{impression}.png",
            tmp_path / f"folders/p{identity}/{impression}.png",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    for folder in ("names", "folders"):
        figures = inspect_path(tmp_path / folder, QUICK).figures
        assert (figures["images"], figures["identities"], figures["format"]) == (6, 3, "folder")


def test_anybodys_parquet_with_a_label(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": png(row(i, 0)), "path": None}, "label": i % 2} for i in range(4)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    for path in (tmp_path, tmp_path / "x.parquet"):
        figures = inspect_path(path, QUICK).figures
        assert (figures["images"], figures["identities"], figures["made_by_fpsynth"]) == (4, 2, False)


@pytest.mark.parametrize("option", ["training", "reference"])
def test_one_parquet_file_to_compare_with(option: str, dataset: Path, tmp_path: Path) -> None:
    if option == "reference":
        pytest.importorskip("torchmetrics")
    rows = [{"image": {"bytes": png(row(i, k)), "path": None}, "label": i} for i in range(6) for k in range(3, 6)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    figures = inspect_path(dataset, replace(QUICK, **{option: tmp_path / "x.parquet"})).figures
    told = figures["privacy"]["training_images"] if option == "training" else figures["realism"]["reference_images"]
    assert told == 18


def test_two_datasets_side_by_side(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = build(tmp_path / "other", lambda rows: rows[:6] + rows[6:12] + rows[12:15], sidecars=())
    seen = inspect_path(dataset, Options(judges=False, cache=False, workers=1, against=other))
    assert seen.figures["against"]["images"] == 15
    seen.show()
    assert "18 | 15" in capsys.readouterr().out


def test_terminal_fits_80_columns(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inspect_path(dataset, QUICK).show()
    out = capsys.readouterr().out
    assert "\x1b" not in out and max(map(len, out.splitlines())) <= 80 and "Nothing is broken" in out


def test_contact_sheet(dataset: Path, tmp_path: Path) -> None:
    inspect_path(dataset, Options(judges=False, cache=False, workers=1, sheet=tmp_path / "s.png"))
    with Image.open(tmp_path / "s.png") as page:
        assert page.size == (3 * 262 + 6, 6 * 262 + 6)


def test_no_sheet_where_no_image_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    for n in range(2):
        (tmp_path / "o" / f"{n}_0.png").write_bytes(b"no image")
    seen = inspect_path(tmp_path / "o", replace(QUICK, sheet=tmp_path / "s.png"))
    assert ([fault.kind for fault in seen.faults], seen.exit_code) == (["damaged image"] * 2, 3)
    assert any("s.png is not written" in notice for notice in seen.notices) and not (tmp_path / "s.png").exists()


def test_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("identities: 5\nimpressions: 3\nprompt: {sensor: {ink: 1.0}}\n")
    seen = inspect_path(tmp_path / "r.yaml")
    assert seen.figures["kind"] == "recipe" and seen.figures["images"] == 15
    assert seen.figures["recipe"]["sampling"]["steps"] == 4
    (tmp_path / "r.yaml").write_text("identites: 5\n")
    with pytest.raises(UserError, match=r"r\.yaml:1:1"):
        inspect_path(tmp_path / "r.yaml")


def safetensors(shape: list[int]) -> bytes:
    size = 2 * int(np.prod(shape))
    header = json.dumps({"w": {"dtype": "F16", "shape": shape, "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def test_model(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "model_index.json").write_text('{"_class_name": "P", "unet": ["diffusers", "UNet2DConditionModel"]}')
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\nText\n")
    weights = tmp_path / "unet" / "model.safetensors"
    weights.write_bytes(safetensors([100, 30]))
    seen = inspect_path(tmp_path)
    assert (seen.figures["parameters"], seen.figures["licence"], seen.exit_code) == (3000, "apache-2.0", 0)
    assert seen.figures["parts"][0]["class"] == "UNet2DConditionModel"
    for broken in (weights.read_bytes()[:-1], weights.read_bytes()[:20], b"", b"\xff" * 40):
        weights.write_bytes(broken)
        seen = inspect_path(tmp_path)
        assert seen.exit_code == 3 and "unet/model.safetensors" in str(seen.faults[0])


@pytest.mark.parametrize("option", ["sheet", "html", "recipe", "against", "reference", "training"])
@pytest.mark.parametrize("name", ["r.yaml", "model"])
def test_what_only_images_can_tell_is_refused(option: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("identities: 5\nimpressions: 3\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text("{}")
    with pytest.raises(UserError, match=rf"^--{option}: there are no images in \S+{name}, which is a \w+$"):
        inspect_path(tmp_path / name, Options(**{option: tmp_path / "x"}))


def test_what_only_images_can_tell_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("identities: 5\nimpressions: 3\n")
    with pytest.raises(UserError, match=r"^--sheet, --training: there are no images"):
        inspect_path(tmp_path / "r.yaml", Options(sheet=tmp_path / "s.png", training=tmp_path))


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be measured."""
    monkeypatch.setattr("fpsynth.inspect.look.dataset.measure_dataset", lambda *_: pytest.fail("it was measured"))


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("option", ["against", "reference", "training"])
@pytest.mark.parametrize(("name", "line"), [("nowhere", "no such file"), ("empty", "no images"), ("text", "no images")])
def test_nothing_to_compare_with_is_told_before_anything_is_measured(
    option: str, name: str, line: str, dataset: Path, tmp_path: Path
) -> None:
    if option == "reference":
        pytest.importorskip("torchmetrics")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no Parquet")
    with pytest.raises(UserError, match=rf"{name}: (there is )?{line}"):
        inspect_path(dataset, replace(QUICK, **{option: tmp_path / name}))


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(("option", "module"), [("html", "matplotlib"), ("reference", "torchmetrics")])
def test_what_is_not_installed_is_told_before_anything_is_measured(
    option: str, module: str, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=f"{module}: install fpsynth with the extra 'report'"):
        inspect_path(dataset, replace(QUICK, **{option: tmp_path}))


def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        inspect_path(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no images"):
        inspect_path(tmp_path)


def test_judges_that_are_asked_for_and_missing(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpsynth.extractor.mindtct.missing", lambda: "not wanted")
    with pytest.raises(UserError, match="judges"):
        inspect_path(dataset, Options(judges=True, cache=False))


def test_without_the_extra_our_own_extractor_is_used_and_named(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fpsynth.extractor.mindtct.missing", lambda: "not wanted")
    seen = inspect_path(dataset, Options(cache=False, workers=1))
    judges = seen.figures["judges"]
    assert (judges["extractor"], judges["images"], judges["truth"]["images"]) == ("skeleton", 18, 18)
    assert judges["truth"]["recall"] > 0.95 and judges["truth"]["spurious"] < 0.05
    assert not {"nfiq2", "bozorth3"} & set(judges)
    assert any("fpsynth's own extractor" in notice for notice in seen.notices) and not seen.faults
    seen.show()
    out = capsys.readouterr().out
    assert "fpsynth's own extractor (not NIST's)" in out and "NFIQ2  " not in out
    assert inspect_path(dataset, QUICK).figures["judges"] == {}


def test_a_few_huge_identities_stay_within_the_limit() -> None:
    records = [
        Record(
            unit=0,
            number=i,
            name=str(i),
            identity=str(i % 3),
            impression=i,
            width=1,
            height=1,
            ppi=500,
            mean=0,
            deviation=0,
            pixels=str(i),
        )
        for i in range(900)
    ]
    (numbers,) = _sample(records, 30).values()
    assert len({i % 3 for i in numbers}) == 2 and 30 <= len(numbers) <= 60
