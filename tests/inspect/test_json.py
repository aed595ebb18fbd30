"""The object that --json prints: scripts rely on its keys, their order and what kind of value each has."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fpsynth.extractor.mindtct import available
from fpsynth.inspect.look import Options, inspect_path
from tests.inspect.population import build
from tests.inspect.readers import constant

pytest.importorskip("torchmetrics")
KEYS = json.loads((Path(__file__).parent / "json_keys.json").read_text())


def keys(value: Any, path: str = "") -> Iterator[str]:
    """Every place in an object with the type of what is there; of a list only its first member."""
    yield f"{path} {type(value).__name__}"
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from keys(inner, f"{path}/{name}")
    elif isinstance(value, list) and value:
        yield from keys(value[0], f"{path}[]")


@pytest.mark.parametrize(
    "judges", [pytest.param(True, marks=pytest.mark.skipif(not available(), reason="nbis")), False], ids=str
)
def test_keys_of_a_dataset(tmp_path: Path, judges: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    constant().install(monkeypatch)
    root = build(tmp_path / "o")
    seen = inspect_path(root, Options(judges=judges, reference=root, training=root, workers=1, cache=False))
    told = json.loads(json.dumps(seen.figures))
    told["reading"]["slots"] = {"sensor": told["reading"]["slots"]["sensor"]}
    told["shares"] = {"sensor": told["shares"]["sensor"]}  # all columns are alike
    told["words"] = {"pattern": {"arch": told["words"]["pattern"]["arch"]}}  # and so are all words
    assert list(keys(told)) == KEYS[str(judges)]
