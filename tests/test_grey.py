"""Sixteen bits of grey are kept in their order, whatever file they come in."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fpsynth.inspect.measure.image import decode


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(form):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    buffer = BytesIO()
    Image.fromarray(257 * levels).save(buffer, form)
    assert np.array_equal(decode(buffer.getvalue()), levels)
