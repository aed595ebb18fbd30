"""The kinds of sensors by name: the module of a sensor's word in this folder describes it, as KIND."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from torch import Tensor

from fpsynth.errors import UserError
from fpsynth.impression.chance import Chance
from fpsynth.sensor.device import Devices, Ranges
from fpsynth.sensor.touch import Touch
from fpsynth.slots import words_of


@dataclass(frozen=True)
class Kind:
    """A sensor kind.

    ranges   of the parameters of its devices; those of touch.touch are needed
    expose   turns touches into grey levels (B, height, width), not yet clipped
    """

    ranges: Ranges
    expose: Callable[[Touch, Devices, Chance], Tensor]


def kind_of(sensor: str) -> Kind:
    """The kind of this word. Raises UserError for a word that is no sensor."""
    known = words_of("sensor")
    if sensor not in known:
        raise UserError(f"unknown sensor {sensor!r}; known: {', '.join(known)}")
    return cast(Kind, importlib.import_module(f"{__package__}.{sensor}").KIND)
