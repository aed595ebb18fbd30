"""Minutiae files are known by what is in them, whatever they are called."""

import numpy as np
import pytest

from fpsynth.dataset.sidecar import encode
from fpsynth.minutiae.record import FormatError
from fpsynth.minutiae.template import read_template
from tests.dataset.rows import row as any_row


@pytest.mark.parametrize("form", ["iso19794-2", "ansi378", "json", "xyt"])
def test_every_format_is_read_back(form, tmp_path):
    row = any_row(1, 0)
    path = tmp_path / "template"
    path.write_bytes(encode(form, row))
    read = read_template(path).views[0].minutiae
    across, down = (np.array([a[i] - b[i] for a, b in zip(read, row.minutiae, strict=True)]) for i in (0, 1))
    assert np.ptp(across) < 1.5 and np.ptp(down) < 1.5, "moved as a whole: .xyt does not say where its image ends"
    assert all(abs((a.angle - b.angle + 180) % 360 - 180) < 2 for a, b in zip(read, row.minutiae, strict=True))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00\x01",
        b"1 2 3\n",
        b"{}",
        b'{"width": 5, "height": 5, "minutiae": [{"x": 1, "y": 1, "angle": 0, "kind": "lake"}]}',
        b"FMR\0 20\0short",
    ],
)
def test_anything_else_is_named(content, tmp_path):
    path = tmp_path / "template"
    path.write_bytes(content)
    with pytest.raises(FormatError):
        read_template(path)
