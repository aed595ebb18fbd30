"""The methods by name."""

from typing import Final

from pydantic import BaseModel

from fpsynth.training.distill.adversarial import AdversarialSettings
from fpsynth.training.distill.flash import FlashSettings
from fpsynth.training.distill.lcm import LcmSettings
from fpsynth.training.distill.phased import PhasedSettings
from fpsynth.training.distill.segment import SegmentSettings
from fpsynth.training.distill.trajectory import TrajectorySettings

METHODS: Final[dict[str, type[BaseModel]]] = {
    "phased": PhasedSettings,
    "trajectory": TrajectorySettings,
    "segment": SegmentSettings,
    "lcm": LcmSettings,
    "flash": FlashSettings,
    "adversarial": AdversarialSettings,
}
"""kind -> its settings (see Method)."""
