"""What the skin brings to the glass: pressure, moisture and wear, each varying inside the print."""

from dataclasses import dataclass

import numpy as np

from fpsynth.impression.contact import Outline
from fpsynth.impression.draws import Array, Draws

SKIN_MOISTURE = {"normal": 0.0, "dry": -0.5, "wet": 0.5}
PRESSURE_SHIFT = {"light": -0.2, "normal": 0.0, "firm": 0.2}


@dataclass(frozen=True)
class Condition:
    """What a quality word stands for.

    pressure         shift away from the usual
    moisture_spread  standard deviation inside a print
    moisture_shift   typical shift of the whole print, either way
    worn             share of the print that is worn or smudged
    area             relative size of the contact
    rough            relative roughness of the ridges
    """

    pressure: float
    moisture_spread: float
    moisture_shift: float
    worn: float
    area: float
    rough: float


CONDITIONS = {
    "excellent": Condition(0.03, 0.06, 0.0, 0.0, 1.12, 0.45),
    "good": Condition(0.0, 0.13, 0.05, 0.01, 1.0, 0.5),
    "fair": Condition(-0.03, 0.27, 0.22, 0.1, 0.92, 1.0),
    "poor": Condition(-0.07, 0.36, 0.36, 0.2, 0.82, 1.1),
    "very poor": Condition(-0.12, 0.5, 0.55, 0.45, 0.68, 1.4),
}


def draw_pressure(draws: Draws, quality: str, word: str | None) -> float:
    """Mean pressure of the touch, 0.5 being usual; drawn where the recipe names none."""
    spread = 0.06 if word else 0.13
    shift = PRESSURE_SHIFT[word or "normal"] + CONDITIONS[quality].pressure
    return float(np.clip(0.5 + shift + draws.difference(spread), 0.08, 0.95))


def draw_moisture(draws: Draws, quality: str, skin: str) -> float:
    """Mean moisture of the print. Poor prints are off either way, to the skin's own side where it has one."""
    usual, side = SKIN_MOISTURE[skin], draws.trait()
    shift = CONDITIONS[quality].moisture_shift * (np.sign(usual) * abs(side) if usual else side)
    return float(np.clip(usual + np.clip(shift, -0.6, 0.6) + draws.difference(0.13), -0.85, 0.85))


def draw_roughness(draws: Draws, quality: str) -> float:
    """How rough the ridges are in this capture, 1 being usual."""
    return CONDITIONS[quality].rough * float(np.exp(draws.difference(0.2)))


def pressure_field(draws: Draws, outline: Outline, points: Array, mean: float, step_mm: float) -> Array:
    """(rows, cols) in [0, 1]: a dome over the contact, tilted, at finger points (rows, cols, 2)."""
    x, y = points[..., 0] / outline.half_width, points[..., 1] / outline.half_height
    dome = 0.24 * (0.5 - np.clip(x**2 + y**2, 0, 1.5))
    tilt = draws.difference(0.07) * x + draws.difference(0.07) * y
    return np.clip(mean + dome + tilt + 0.05 * draws.field(x.shape[0], x.shape[1], 4.0 / step_mm), 0, 1)


def moisture_field(draws: Draws, quality: str, mean: float, shape: tuple[int, int], step_mm: float) -> Array:
    """(rows, cols) in [-1, 1]: sweat lies in patches, large and small."""
    patches = 0.85 * draws.field(*shape, 6.0 / step_mm) + 0.5 * draws.field(*shape, 2.2 / step_mm)
    return np.clip(mean + CONDITIONS[quality].moisture_spread * patches, -1, 1)


def wear_field(draws: Draws, quality: str, shape: tuple[int, int], step_mm: float) -> Array:
    """(rows, cols) in [0, 1]: worn patches and smudges that together cover about the condition's share."""
    patches = 0.76 * draws.field(*shape, 4.0 / step_mm) + 0.65 * draws.field(*shape, 0.9 / step_mm)
    depth = 0.7 + 0.12 * np.clip(draws.trait(), -2, 2)
    worn = CONDITIONS[quality].worn
    if worn == 0:
        return np.zeros(shape)
    wear: Array = depth / (1 + np.exp(-(patches - _upper_quantile(worn)) / 0.3))
    return wear


def _upper_quantile(share: float) -> float:
    """The standard normal value that this share exceeds (Abramowitz and Stegun 26.2.23, to 5e-4)."""
    t = np.sqrt(-2 * np.log(share))
    top, bottom = 2.515517 + 0.802853 * t + 0.010328 * t**2, 1 + 1.432788 * t + 0.189269 * t**2 + 0.001308 * t**3
    return float(t - top / bottom)
