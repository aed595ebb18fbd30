"""Droplets of sweat left on a surface beside the contact, and between the ridges where the load is high.

Where a sensor's cells answer to whatever conducts, they are dark as skin is. They are of the capture, not the sensor,
so that a model is told of them by the control planes: what is sparse and random it draws only where it is shown it.
"""

from torch import Tensor

from fpsynth.impression.chance import Chance
from fpsynth.impression.draws import Draws
from fpsynth.impression.fields import broad_blur, mottle, specks

SHOWN = ("capacitive",)
"""Sensors that see droplets."""
DENSITY = (0.0035, 0.028)
"""Droplets a pixel at 500 ppi, from capture to capture."""
SIZE, HALO = 0.75, 26.0
"""Pixels at 500 ppi: of a droplet, and over which droplets thin out around the contact."""
PATCH = 40.0
"""Size in pixels at 500 ppi of patches with more of them and with fewer."""


def droplets(contact: Tensor, load: Tensor, draws: Draws, ppi: int) -> Tensor:
    """(H, W) in [0, 1], of one capture with this contact and load (H, W)."""
    rng, unit = draws.chance, ppi / 500
    chance, touched = Chance.of([rng], contact.device), contact[None]
    count = int(rng.uniform(*DENSITY) * contact.numel() / unit**2)
    spots = specks(chance, touched, [count], SIZE * unit).clamp(0, 1)
    halo = broad_blur(touched, HALO * unit) * (1 - touched)
    where = (2.2 * halo).clamp(0, 1) ** 1.5 + touched * (0.3 + 1.5 * load).clamp(0, 1)
    return (spots * where * (0.6 + 0.6 * mottle(chance, touched, PATCH * unit)).clamp(0, 1.3))[0].clamp(0, 1)
