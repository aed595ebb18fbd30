"""Words as the reader reads them, beside those that were asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpsynth.dataset.row import Row
from fpsynth.inspect.look import Options, inspect_path
from fpsynth.inspect.measure.reading import BLIND, known, reading_figures
from fpsynth.inspect.measure.record import Record, from_json, to_json
from tests.inspect.population import build
from tests.inspect.readers import constant

QUICK = Options(judges=False, cache=False, workers=1)


def _wet_every_third(rows: list[Row]) -> list[Row]:
    return [replace(r, words={**r.words, "skin": "wet" if i % 3 == 0 else "normal"}) for i, r in enumerate(rows)]


def test_agreement_is_counted_over_the_rows_that_say_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    constant().install(monkeypatch)
    look = inspect_path(build(tmp_path / "o", _wet_every_third), QUICK)
    told = look.figures["reading"]
    assert told["images"] == 18 and set(told["slots"]["sensor"]["shares"]) == {"optical"}
    assert told["slots"]["sensor"]["agreement"] == 1
    assert told["slots"]["skin"]["agreement"] == pytest.approx(2 / 3, abs=1e-4)
    assert told["slots"]["skin"]["accuracy"] == 0.97
    assert told["slots"]["pressure"]["agreement"] is None and told["slots"]["pressure"]["asked"] == 0
    look.show()
    out = capsys.readouterr().out
    assert "optical 100%" in out and "66.7% of 18 images" in out and max(map(len, out.splitlines())) <= 80


def test_a_slot_of_which_the_reader_says_but_the_most_frequent_word_is_left_out() -> None:
    facts = known()
    assert facts is not None and facts.accuracy["material"] > 0.8 > facts.accuracy["skin"]
    assert facts.skill("material") < BLIND < facts.skill("skin") < 1
    flat = [np.concatenate([facts.prior[slot] for slot in facts.words]).astype(np.float16).tobytes()]
    told = reading_figures([_record(read) for read in flat])
    assert told is not None and "material" not in told.slots and "skin" in told.slots


def test_without_a_reader_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("reading", "scan"):
        monkeypatch.setattr(f"fpsynth.inspect.measure.{name}.known", lambda: None)
    assert inspect_path(build(tmp_path / "o"), QUICK).figures["reading"] == {}


def test_what_another_reader_said_is_not_taken_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    root, options = build(tmp_path / "o"), Options(judges=False, workers=1)

    def sensor(word: str, digest: str) -> list[str]:
        replace(constant(sensor=word), digest=digest).install(monkeypatch)
        return list(inspect_path(root, options).figures["reading"]["slots"]["sensor"]["shares"])

    assert [sensor("ink", "a"), sensor("thermal", "b"), sensor("optical", "a")] == [["ink"], ["thermal"], ["ink"]]


def test_a_reading_survives_the_cache() -> None:
    said = np.array([0.25, 0.75], np.float16).tobytes()
    assert from_json(to_json(_record(said)), 0).read == said


def _record(read: bytes) -> Record:
    return Record(
        unit=0, number=0, name="x", identity="1", impression=0, width=8, height=8, ppi=500, mean=1, deviation=1,
        pixels="", read=read,
    )  # fmt: skip
