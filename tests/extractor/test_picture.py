"""What is refused before any work is done on it."""

from pathlib import Path

import numpy as np
import pytest

from fpsynth.errors import UserError
from fpsynth.extractor.picture import picture_of


@pytest.mark.parametrize(("ppi", "size"), [(1e6, "0 x 0"), (1, "100000 x 100000")])
def test_a_size_that_no_print_has_is_told_before_the_picture_is_scaled(ppi: float, size: str) -> None:
    with pytest.raises(UserError, match=f"a.png: {size} pixels at 500 ppi"):
        picture_of(np.zeros((200, 200), np.uint8), ppi, Path("a.png"))
