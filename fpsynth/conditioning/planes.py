"""The control planes: what the ControlNet sees of an impression."""

import torch
from torch import Tensor

from fpsynth.impression import Impression


def control_planes(impression: Impression) -> Tensor:
    """(3, H, W) float32 in [0, 1]: ridge (0.5 where nothing touches), contact, load.

    load is how heavily the skin lies on the surface: 0.5 usual, towards 0 dry, light or worn, towards 1 wet or firm.
    """
    contact = impression.contact
    ridge = ((impression.ridges + impression.detail + 1) / 2).clamp(0, 1)
    load = 0.5 + 0.35 * impression.moisture + 0.5 * (impression.pressure - 0.5) - 0.5 * impression.wear
    return torch.stack([0.5 + (ridge - 0.5) * contact, contact, load.clamp(0, 1) * contact])
