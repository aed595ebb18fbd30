"""Which extractor there is, and mindtct's convention of angles."""

import numpy as np
import pytest

from fpsynth.extractor import chosen, extract, mindtct
from fpsynth.minutiae import Minutia
from tests.prints import grid, kinds, planted

nist = pytest.mark.skipif(not mindtct.available(), reason="nbis-python is not installed")


@nist
@pytest.mark.parametrize("angle", [0.0, 180.0])
@pytest.mark.parametrize("y", [170.0, 174.5])
def test_angle_and_place_of_mindtct_are_ours(angle: float, y: float) -> None:
    truth = kinds([Minutia(260.0, y, angle, "ending")])
    (found,) = extract("mindtct", planted(truth), 500)
    assert abs(found.x - 260) <= 2 and abs(found.y - y) <= 2
    assert abs((found.angle - angle + 180) % 360 - 180) <= 12


@nist
def test_each_extractor_runs_by_its_name() -> None:
    image = planted(grid())
    assert extract("mindtct", image, 500) == mindtct.extract(image, 500) != extract("skeleton", image, 500)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("libopencv_core.so.406: cannot open shared object file:\nNo such file"), "libopencv_core.so.406: "),
        (ModuleNotFoundError("No module named 'nbis'"), "No module named 'nbis'"),
    ],
)
def test_where_nists_tools_cannot_be_loaded_our_own_is_chosen(monkeypatch, error: Exception, told: str) -> None:
    import builtins

    real = builtins.__import__

    def load(name: str, *rest: object) -> object:
        if name == "nbis":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", load)
    reason = mindtct.missing.__wrapped__()
    assert reason.startswith(told) and "\n" not in reason
    monkeypatch.setattr(mindtct, "missing", lambda: reason)
    assert chosen() == "skeleton" and extract(chosen(), np.full((64, 64), 200, np.uint8), 500) == []
