"""Which parts of a hand can be grown, by name. To add one: a function that grows it, and an entry here."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from fpsynth.errors import UserError
from fpsynth.finger.finger import FINGERTIP, make_fingers
from fpsynth.finger.master import Grower, Master

GROWERS: Final[dict[str, Grower]] = {FINGERTIP: make_fingers}


def grow_masters(
    rngs: Sequence[np.random.Generator],
    patterns: Sequence[str],
    positions: Sequence[int],
    device: torch.device | str = "cpu",
    part: str = FINGERTIP,
) -> Sequence[Master]:
    """Grow a batch of masters of one part of the hand. Raises UserError for a part that cannot be grown."""
    if part not in GROWERS:
        raise UserError(f"unknown part of the hand {part!r}; known: {', '.join(GROWERS)}")
    return GROWERS[part](rngs, patterns, positions, device)
