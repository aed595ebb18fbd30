"""Planted faults: each kind is found, named, and the rest is still reported."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fpsynth.dataset import Row
from fpsynth.dataset.row import png
from fpsynth.extractor import Extractor, extract
from fpsynth.extractor.mindtct import available
from fpsynth.inspect.look import Look, Options, inspect_path
from fpsynth.inspect.measure.asked import asked_shares
from fpsynth.inspect.measure.dataset import Depth, measure_dataset
from fpsynth.inspect.measure.integrity import check_labels, check_shares
from fpsynth.inspect.measure.judges import explain
from fpsynth.inspect.measure.record import Record
from fpsynth.inspect.measure.shares import chi_square, share_figures, word_counts
from fpsynth.minutiae import Minutia
from fpsynth.vocabulary import NATURAL_SHARES
from tests.inspect.population import IMPRESSIONS, SIDE, build, row

nist = pytest.mark.skipif(not available(), reason="nbis-python is not installed")
Rows = list[Row]


@pytest.fixture(scope="module", autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory) -> object:
    """One cache for all tests, so that what is not planted is judged once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield patch


def look(root: Path, judges: bool | None = False) -> Look:
    return inspect_path(root, Options(judges=judges, workers=1))


@pytest.fixture(params=[pytest.param("mindtct", marks=nist), "skeleton"])
def extractor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Extractor:
    """Each extractor in turn; for our own one, NIST's tools are taken away."""
    if request.param == "skeleton":
        monkeypatch.setattr("fpsynth.extractor.mindtct.missing", lambda: "not wanted")
    return request.param


def found(seen: Look, kind: str) -> list[str]:
    return [str(fault) for fault in seen.faults if fault.kind == kind]


@pytest.mark.parametrize("form", ["parquet", "png"])
def test_a_sound_dataset_has_no_faults(tmp_path: Path, form: str) -> None:
    seen = look(build(tmp_path / "o", form=form))
    assert (seen.faults, seen.exit_code) == ([], 0)
    assert (seen.figures["images"], seen.figures["identities"]) == (18, 6)


@nist
def test_a_sound_dataset_is_sound_to_the_judges(tmp_path: Path) -> None:
    seen = look(build(tmp_path / "o"), judges=True)
    assert (seen.faults, seen.notices) == ([], [])
    assert seen.figures["judges"]["truth"]["recall"] > 0.95
    assert seen.figures["judges"]["bozorth3"]["eer"]["value"] == 0


# Files


SHARD = "data/train-00001-of-00002.parquet"


@pytest.mark.parametrize("left", [0, 10, 5000])
def test_truncated_shard(tmp_path: Path, left: int) -> None:
    path = build(tmp_path / "o") / SHARD
    path.write_bytes(path.read_bytes()[:left])
    seen = look(tmp_path / "o")
    assert SHARD in found(seen, "damaged file")[0]
    assert any(SHARD in text and "manifest" in text for text in found(seen, "changed file"))
    assert (seen.figures["images"], seen.exit_code) == (12, 3)


def test_bytes_changed_inside_a_shard(tmp_path: Path) -> None:
    path = build(tmp_path / "o") / SHARD
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0xFF
    path.write_bytes(content)
    seen = look(tmp_path / "o")
    assert any(SHARD in text for text in found(seen, "changed file"))
    assert seen.exit_code == 3


def test_missing_and_extra_shards(tmp_path: Path) -> None:
    root = build(tmp_path / "o")
    (root / SHARD).rename(root / "data" / "train-00007-of-00009.parquet")
    seen = look(root)
    assert SHARD in found(seen, "missing file")[0]
    assert "train-00007" in found(seen, "extra file")[0]


def test_damaged_manifest(tmp_path: Path) -> None:
    (build(tmp_path / "o") / "manifest.json").write_text("{")
    seen = look(tmp_path / "o")
    assert "manifest.json" in found(seen, "damaged file")[0] and seen.figures["images"] == 18


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda path: path.unlink(), "damaged image"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "damaged image"),
        (lambda path: path.write_bytes(b"not an image"), "damaged image"),
        (lambda path: Image.new("L", (SIDE, SIDE), 90).save(path), "changed image"),
        (lambda path: Image.effect_noise((64, 64), 50).save(path), "size"),
    ],
    ids=["gone", "truncated", "no image", "replaced", "other size"],
)
def test_damaged_png(tmp_path: Path, damage: Callable[[Path], None], kind: str) -> None:
    damage(build(tmp_path / "o", form="png") / "train" / "000002" / "000002_01.png")
    seen = look(tmp_path / "o")
    assert "000002_01" in found(seen, kind)[0]
    assert seen.exit_code == 3 and seen.figures["images"] >= 17


@pytest.mark.parametrize("form", ["parquet", "png"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), "damaged"),
        (lambda path: path.write_bytes(path.with_name("000004_00.fmr").read_bytes()), "disagrees"),
    ],
    ids=["gone", "truncated", "another's"],
)
def test_sidecars(tmp_path: Path, form: str, damage: Callable[[Path], None], message: str) -> None:
    root = build(tmp_path / "o", form=form)
    look(root)
    damage(root / ("minutiae/test" if form == "parquet" else "test") / "000004" / "000004_02.fmr")
    (text,) = found(look(root), "sidecar")
    assert "000004_02" in text and message in text


# Rows


def change_one(identity: int, impression: int, change: Callable[[Row], Row]) -> Callable[[Rows], Rows]:
    def apply(rows: Rows) -> Rows:
        return [change(r) if (r.identity, r.impression) == (identity, impression) else r for r in rows]

    return apply


def test_blank_image(tmp_path: Path) -> None:
    blank = np.full((SIDE, SIDE), 250, np.uint8)
    build(tmp_path / "o", change_one(3, 2, lambda r: dataclasses.replace(r, image=blank)))
    assert "000003_02" in found(look(tmp_path / "o"), "blank image")[0]


@pytest.mark.skipif(not available(), reason="nbis")
def test_an_image_without_minutiae_matches_nothing(tmp_path: Path) -> None:
    grain = np.random.default_rng(0).integers(100, 140, (SIDE, SIDE), np.uint8)
    build(tmp_path / "o", change_one(3, 2, lambda r: dataclasses.replace(r, image=grain)), sidecars=())
    measured = measure_dataset(tmp_path / "o", Depth(judges=True, workers=1, cache=False))
    judged = [r for r in measured.records if r.judged is not None]
    (place,) = [i for i, r in enumerate(judged) if r.judged is not None and r.judged.found == 0]
    assert judged[place].name == "000003_02" and measured.scores is not None
    mated = measured.scores.mated[(measured.scores.pairs.mated == place).any(1)]
    assert len(mated) == IMPRESSIONS - 1 and not mated.any()


def test_duplicated_image(tmp_path: Path) -> None:
    build(tmp_path / "o", change_one(3, 2, lambda r: dataclasses.replace(r, image=row(1, 0).image)))
    (text,) = found(look(tmp_path / "o"), "duplicate image")
    assert "000001_00" in text and "000003_02" in text


def test_identity_in_two_splits(tmp_path: Path) -> None:
    build(tmp_path / "o", change_one(4, 1, lambda r: dataclasses.replace(r, identity=0, impression=3)))
    assert any("identity" in text and "test and train" in text for text in found(look(tmp_path / "o"), "splits"))


def test_person_in_two_splits(tmp_path: Path) -> None:
    build(tmp_path / "o", lambda rows: [dataclasses.replace(r, subject=r.identity % 3) for r in rows])
    assert any("subject" in text for text in found(look(tmp_path / "o"), "splits"))


def test_labels_with_gaps(tmp_path: Path) -> None:
    build(tmp_path / "a", lambda rows: [dataclasses.replace(r, identity=r.identity * 2) for r in rows])
    assert "1, 3, 5, 7, 9" in found(look(tmp_path / "a"), "labels")[0]
    build(tmp_path / "b", change_one(2, 2, lambda r: dataclasses.replace(r, impression=5)))
    assert "impressions" in found(look(tmp_path / "b"), "labels")[0]


def test_pattern_differs_inside_an_identity(tmp_path: Path) -> None:
    build(tmp_path / "o", change_one(2, 2, lambda r: dataclasses.replace(r, words={**r.words, "pattern": "arch"})))
    assert "pattern" in found(look(tmp_path / "o"), "labels")[0]


def test_minutiae_outside_the_image(tmp_path: Path) -> None:
    far = [Minutia(SIDE + 30.0, 5, 0, "ending")]
    build(tmp_path / "o", change_one(2, 2, lambda r: dataclasses.replace(r, minutiae=far)), sidecars=())
    assert "000002_02" in found(look(tmp_path / "o"), "minutiae")[0]


def test_shares_that_are_off(tmp_path: Path) -> None:
    root = build(tmp_path / "o")
    content = json.loads((root / "manifest.json").read_text())
    content["recipe"] = content["recipe"].replace("optical: 1.0", "optical: 0.4\n    ink: 0.6")
    (root / "manifest.json").write_text(json.dumps(content))
    (text,) = found(look(root), "shares")
    assert text.startswith("sensor") and "asked" in text


@pytest.mark.parametrize(("arches", "faults"), [(37, 0), (110, 1)])
def test_class_shares_that_are_off(arches: int, faults: int) -> None:
    rest = {name: share for name, share in NATURAL_SHARES.items() if name != "arch"}
    rng, names = np.random.default_rng(0), ["arch"] * arches
    names += rng.choice(list(rest), 1000 - arches, p=np.array(list(rest.values())) / sum(rest.values())).tolist()
    records = [
        Record(
            unit=0,
            number=i,
            name=str(i),
            identity=str(i),
            impression=0,
            width=1,
            height=1,
            ppi=500,
            mean=0,
            deviation=0,
            pixels=str(i),
            words={"pattern": name, "finger": "unknown"},
        )
        for i, name in enumerate(names)
    ]
    asked = asked_shares({"finger": {"pattern": "natural"}}, records)
    found = list(check_shares(share_figures(word_counts(records), asked)))
    assert len(found) == faults
    assert all("pattern: arch is 11.0% where 3.7% was asked for" in str(fault) for fault in found)


def test_words_that_a_sensor_cannot_have_are_not_asked_for() -> None:
    recipe = {
        "prompt": {"sensor": {"optical": 0.5, "latent": 0.3, "ink": 0.2}, "surface": {"glass": 0.4, "card": 0.6}},
        "finger": {"pattern": {"whorl": 1.0}},
    }
    asked = asked_shares(recipe, [])
    assert asked["surface"] == pytest.approx({"glass": 0.12, "card": 0.3, "other": 0.58})
    assert asked["pattern"] == {"whorl": 1.0}


def test_class_shares_of_many_identities() -> None:
    right = {name: round(1000 * share) for name, share in NATURAL_SHARES.items()}
    assert chi_square(right, NATURAL_SHARES) > 0.99
    assert chi_square({**right, "whorl": 323, "left_loop": 238}, NATURAL_SHARES) < 1e-4
    assert chi_square({"arch": 2, "whorl": 6}, NATURAL_SHARES) is None
    assert chi_square({"left_loop": 9, "square": 1}, NATURAL_SHARES) == 0


# What only judges see


@nist
def test_swapped_labels(tmp_path: Path) -> None:
    def swap(rows: Rows) -> Rows:
        a, b = row(0, 1), row(3, 2)
        ours = {"image", "minutiae"}
        pairs = {(0, 1): b, (3, 2): a}
        return [
            dataclasses.replace(r, **{name: getattr(pairs[r.identity, r.impression], name) for name in ours})
            if (r.identity, r.impression) in pairs
            else r
            for r in rows
        ]

    texts = found(look(build(tmp_path / "o", swap), judges=True), "wrong label")
    assert len(texts) == 2
    assert texts[0].startswith("000000_01") and "matches identity 3" in texts[0]
    assert texts[1].startswith("000003_02") and "matches identity 0" in texts[1]


@nist
def test_two_identities_that_share_a_finger(tmp_path: Path) -> None:
    def share(rows: Rows) -> Rows:
        return [
            dataclasses.replace(row(2, r.impression + 3), identity=5, impression=r.impression, subject=5, words=r.words)
            if r.identity == 5
            else r
            for r in rows
        ]

    (text,) = found(look(build(tmp_path / "o", share), judges=True), "shared finger")
    assert "identities 2 and 5 are one finger" in text


CHANGES = {
    "minutiae shifted by 20, 0 pixels": lambda m: m._replace(x=m.x + 20),
    "angles point the other way": lambda m: m._replace(angle=(m.angle + 180) % 360),
    "angles run clockwise": lambda m: m._replace(angle=-m.angle % 360),
    "angles run clockwise and point the other way": lambda m: m._replace(angle=(180 - m.angle) % 360),
    "image mirrored left to right": lambda m: m._replace(x=SIDE - 1 - m.x, angle=(180 - m.angle) % 360),
    "image mirrored top to bottom": lambda m: m._replace(y=SIDE - 1 - m.y, angle=-m.angle % 360),
    "image turned by 180 degrees": lambda m: Minutia(SIDE - 1 - m.x, SIDE - 1 - m.y, (m.angle + 180) % 360, m.kind),
}


@pytest.mark.parametrize("message", CHANGES)
def test_wrong_truth_is_explained(message: str, extractor: Extractor) -> None:
    true = row(1, 0) if "clockwise" not in message else row(2, 0)
    found = extract(extractor, true.image, 500)
    assert explain(true.minutiae, found, SIDE, SIDE) is None
    told = explain([CHANGES[message](m) for m in true.minutiae], found, SIDE, SIDE)
    assert told is not None and told.split(",")[0] in (message.split(",")[0], "minutiae shifted by 19")


def test_truth_that_nothing_explains_is_left_to_the_figures(extractor: Extractor) -> None:
    found = extract(extractor, row(1, 0).image, 500)
    assert explain(row(3, 0).minutiae, found, SIDE, SIDE) is None


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("angles point the other way", "angles point the other way"),
        ("minutiae shifted by 20, 0 pixels", "minutiae shifted"),
    ],
)
def test_wrong_truth_of_a_whole_dataset(tmp_path: Path, extractor: Extractor, change: str, kind: str) -> None:
    def apply(rows: Rows) -> Rows:
        return [dataclasses.replace(r, minutiae=[CHANGES[change](m) for m in r.minutiae]) for r in rows]

    seen = look(build(tmp_path / "o", apply, sidecars=()), judges=None)
    (text,) = found(seen, "truth")
    assert kind in text and "of 18 images" in text
    assert seen.figures["judges"]["extractor"] == extractor and seen.exit_code == 3


def test_one_mirrored_image(tmp_path: Path, extractor: Extractor) -> None:
    build(tmp_path / "o", change_one(1, 1, lambda r: dataclasses.replace(r, image=r.image[:, ::-1].copy())))
    (text,) = found(look(tmp_path / "o", judges=None), "truth")
    assert text.startswith("000001_01") and "mirrored left to right" in text


STRANGE = [-1.0, 0.0, 1.0, float("nan"), 1e9]


def test_rows_of_strangers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Impossible resolutions, labels of 10^9, no images, formats that are programs, names that steer a terminal."""
    good = png(row(0, 0))
    images: list[object] = [
        *[good] * len(STRANGE),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"%PDF-1.4",
        b"",
    ]
    table = pa.table(
        {
            "image": pa.array(images, pa.binary()),
            "id": [f"a\x1b[31m{n}" for n in range(len(images))],
            "identity": [10**9] * len(images),
            "impression": list(range(len(images))),
            "ppi": [*STRANGE, 500.0, 500.0, 500.0],
        }
    )
    (tmp_path / "o").mkdir()
    pq.write_table(table, tmp_path / "o" / "a.parquet")
    seen = inspect_path(tmp_path / "o", Options(judges=False, workers=1, cache=False))
    kinds = Counter(fault.kind for fault in seen.faults)
    assert kinds["resolution"] == len(STRANGE) and kinds["damaged image"] == 3
    seen.show()
    assert "\x1b[31m" not in capsys.readouterr().out


def test_an_image_column_that_holds_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    pq.write_table(pa.table({"image": [1, 2], "id": ["a", "b"]}), tmp_path / "o" / "a.parquet")
    seen = inspect_path(tmp_path / "o", Options(judges=False, workers=1, cache=False))
    assert [fault.kind for fault in seen.faults] == ["damaged image"] * 2


def test_gaps_among_a_thousand_million_labels() -> None:
    records = [Record(**{**vars_of(0), "identity": str(n)}) for n in (0, 2, 10**9)]
    (fault,) = [fault for fault in check_labels(records) if fault.where == "identities"]
    assert fault.message.startswith("999999998 numbers are not used: 1, 3, 4, 5, 6, ...")


def vars_of(impression: int) -> dict[str, object]:
    facts = {"unit": 0, "number": 0, "name": "", "impression": impression, "width": 1, "height": 1, "ppi": 500.0}
    return {**facts, "mean": 0.0, "deviation": 0.0, "pixels": ""}
