"""Sixteen bits of grey are kept in their order, whatever file they come in; scaling makes no blocks."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fpsynth.grey import rescaled
from fpsynth.inspect.measure.image import decode


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_become_eight(form):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    buffer = BytesIO()
    Image.fromarray(257 * levels).save(buffer, form)
    assert np.array_equal(decode(buffer.getvalue()), levels)


@pytest.mark.parametrize("scale", [2, 0.5])
def test_what_is_scaled_has_slopes_and_no_blocks(scale):
    ramp = np.tile(np.arange(0, 200, 20, dtype=np.uint8), (10, 1))
    row = rescaled(ramp, scale)[2].astype(int)
    assert len(row) == 10 * scale and (np.diff(row)[1:-1] > 0).all()
    assert rescaled(ramp, 1) is ramp
