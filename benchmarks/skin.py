"""How uneven ridges are: along themselves, and in blots that are broader than a ridge.

python benchmarks/skin.py PATH [PATH ...] [--limit 40]

A PATH is anything that `fpsynth inspect` takes, of 500 ppi. Grey levels are taken over the local strength of the
ridges, so that sensors compare.

along   variance on the crests by its period along the ridge, in hundredths of the strength squared; medians of prints
blots   deviation of what is slower than ridges and faster than load (Gaussians of 4 and 14 pixels); median and 90 %
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from skimage.morphology import skeletonize

from fpsynth.dataset.reader.source import open_source
from fpsynth.inspect.measure.image import decode

Array = NDArray[np.float32]
BANDS = {"32 to 64 px": (1, 2), "16 to 21": (3, 4), "9 to 13": (5, 7), "7 to 8": (8, 9), "5 to 6": (10, 12)}
"""Periods, and the first and last harmonic of a stretch that they are."""
HALF = 32
"""Pixels of a stretch of ridge to either side of where it begins."""
STRETCHES = 1500
"""Of a print, at most."""
RIM, LEAST = 25, 4000
"""Pixels at a print's edge that are left out; pixels that a print must have inside it."""


@dataclass(frozen=True)
class Print:
    """wave (H, W): grey levels over the ridges' local strength, ridges below 0; inside; flow: doubled angle."""

    wave: Array
    inside: NDArray[np.bool_]
    flow: tuple[Array, Array]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=40, help="images of a set")
    options = parser.parse_args()
    table = Table("set", *(f"along: {name}" for name in BANDS), "blots")
    for path in options.paths:
        items = [item for unit in open_source(path, None).units for item in unit.read()][: options.limit]
        greys = [decode(item.encoded).astype(np.float32) for item in items]
        whole = [(grey, of) for grey in greys if (of := print_of(grey)).inside.sum() > LEAST]
        along = np.median([bands(of) for _, of in whole], 0)
        middle, upper = np.percentile([blots(grey, of.inside) for grey, of in whole], [50, 90])
        table.add_row(path.name, *(f"{100 * share:.0f}" for share in along), f"{middle:.2f}, {upper:.2f}")
    Console(width=130).print(table)


def smooth(plane: Array, sigma: float) -> Array:
    """Gaussian blur, reflected at the border."""
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


def ridges(grey: Array) -> Array:
    """What of the grey levels is about as broad as ridges."""
    return smooth(grey, 1) - smooth(grey, 8)


def print_of(grey: Array) -> Print:
    """The print in an image (H, W)."""
    band = ridges(grey)
    strength = np.sqrt(smooth(band**2, 8))
    inside = (strength > 0.35 * np.percentile(strength, 95)).astype(np.uint8)
    square = np.ones((RIM, RIM), np.uint8)
    inside = np.pad(cv2.morphologyEx(inside, cv2.MORPH_CLOSE, square), 1)
    inside = cv2.erode(inside, square)[1:-1, 1:-1] > 0
    across, down = cv2.Sobel(band, cv2.CV_32F, 1, 0), cv2.Sobel(band, cv2.CV_32F, 0, 1)
    return Print(band / (strength + 1e-3), inside, (smooth(down**2 - across**2, 6), smooth(-2 * across * down, 6)))


def blots(grey: Array, inside: NDArray[np.bool_]) -> float:
    """See the module."""
    return float((smooth(grey, 4) - smooth(grey, 14))[inside].std() / ridges(grey)[inside].std())


def bands(of: Print) -> NDArray[np.float64]:
    """(bands,) mean power of the stretches' waves."""
    stretches = followed(of)
    window = np.hanning(stretches.shape[1])
    power = np.abs(np.fft.rfft((stretches - stretches.mean(1, keepdims=True)) * window, axis=1)) ** 2
    power = 2 * power.mean(0) / (window**2).sum()
    return np.array([power[first : last + 1].mean() for first, last in BANDS.values()])


def followed(of: Print) -> Array:
    """(n, 2 HALF) waves along ridges, from random places of their skeleton to both sides."""
    crests = along_flow(of)
    rows, cols = np.nonzero(skeletonize(crests < 0) & of.inside)
    chosen = np.random.default_rng(0).permutation(len(rows))[:STRETCHES]
    start = np.stack([cols[chosen], rows[chosen]], 1).astype(np.float32)
    return np.concatenate([walked(of, crests, start, -1)[:, ::-1], walked(of, crests, start, 1)], 1)


def along_flow(of: Print) -> Array:
    """The wave averaged over 17 pixels along the flow: its crests have no gaps."""
    y, x = np.mgrid[: of.wave.shape[0], : of.wave.shape[1]].astype(np.float32)
    angle = 0.5 * np.arctan2(of.flow[1], of.flow[0])
    return np.asarray(sum(at(of.wave, x + k * np.cos(angle), y + k * np.sin(angle)) for k in range(-8, 9)))


def at(plane: Array, x: Array, y: Array) -> Array:
    """The plane at places between pixels."""
    return np.asarray(cv2.remap(plane, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR))


def walked(of: Print, crests: Array, start: Array, sign: int) -> Array:
    """(n, HALF) the wave met on the way along the flow, a pixel a step, held to the crest."""
    x, y, before, met = *start.T[:, :, None], None, []
    for _ in range(HALF):
        angle = 0.5 * np.arctan2(at(of.flow[1], x, y), at(of.flow[0], x, y))
        ahead = np.stack([np.cos(angle), np.sin(angle)])
        ahead *= sign if before is None else np.where((ahead * before).sum(0) < 0, -1, 1)
        (dx, dy), before = ahead, ahead
        x, y = x + dx, y + dy
        aside = np.stack([at(crests, x - k * dy, y + k * dx) for k in (-0.5, 0, 0.5)]).argmin(0) * 0.5 - 0.5
        x, y = x - aside * dy, y + aside * dx
        met.append(at(of.wave, x, y))
    return np.concatenate(met, 1)


if __name__ == "__main__":
    main()
