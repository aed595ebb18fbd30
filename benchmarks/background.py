"""Whether a print and what lies around it each take on the look of their own style image.

    python benchmarks/background.py [--images 4] [--student NAME] [--steps N]

Style images are renders by virtual sensors, here without words. For every two of them, prints in the look of one on
the ground of the other: inside the contact, and outside, greys and fine texture are compared with those of either style
image. The table has the share of images that are nearer to their own.
"""

import argparse
from itertools import permutations

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

from fpsynth.conditioning.conditions import Conditioning, Style
from fpsynth.conditioning.planes import control_planes
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.sample import Request, sample
from fpsynth.diffusion.settings import Settings
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, Impression, capture
from fpsynth.model_folder import default_model
from fpsynth.rng import Stream, generator
from fpsynth.sensor import draw_device, render
from fpsynth.vocabulary import PATTERNS

SEED, SIDE, EDGE = 24_113, 384, 12
SENSORS = ("optical", "capacitive", "thermal", "ink", "latent")
"""EDGE: pixels about the rim of the contact that belong to neither side."""


def main() -> None:
    """Draw all pairs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--student", default="default")
    parser.add_argument("--steps", type=int, default=4)
    options = parser.parse_args()
    model = load_model(default_model(), student=None if options.student == "none" else options.student)
    settings = Settings(seed=SEED, steps=options.steps, style_scale=1.0)
    prints = [taken(100 + number) for number in range(options.images)]
    styles = {sensor: styled(sensor, number) for number, sensor in enumerate(SENSORS)}
    table = Table(title=f"{len(prints)} prints of each pair: share nearer to their own style image")
    for column in ("print", "ground", "print", "ground"):
        table.add_column(column)
    shares = []
    for inner, outer in permutations(SENSORS, 2):
        asked = [
            request(model.denoiser.planes, i, taken_, styles[inner], styles[outer]) for i, taken_ in enumerate(prints)
        ]
        drawn = [made.image for made in sample(model, settings, asked)]
        near = np.mean(
            [nearer(p, image, styles[inner], styles[outer]) for p, image in zip(prints, drawn, strict=True)], 0
        )
        shares.append(near)
        table.add_row(inner, outer, *(f"{share:.2f}" for share in near))
    table.add_row("all", "", *(f"{share:.2f}" for share in np.mean(shares, 0)))
    Console().print(table)


Styled = tuple[Impression, np.ndarray]


def taken(number: int) -> Impression:
    """A capture of a finger of this number."""
    finger = make_finger(generator(SEED, Stream.FINGER, number), PATTERNS[number % len(PATTERNS)])
    return capture(finger, CaptureSettings(width=SIDE, height=SIDE), generator(SEED, Stream.CAPTURE, number))


def styled(sensor: str, number: int) -> Styled:
    """A capture and its render by a virtual sensor."""
    impression, rng = taken(number), generator(SEED, Stream.DEVICE, number)
    return impression, render(impression, draw_device(sensor, rng), rng).numpy()


def request(planes: tuple[str, ...], number: int, impression: Impression, inner: Styled, outer: Styled) -> Request:
    """The capture in the look of one style image on the ground of another."""
    told = Conditioning(
        planes=dict(zip(planes, control_planes(impression, planes), strict=True)),
        prompt="",
        styles=(Style("print", torch.from_numpy(inner[1])),),
        background=(Style("ground", torch.from_numpy(outer[1])),),
        contact=impression.contact,
    )
    return Request(
        conditioning=told, flow=impression.flow, master=impression.master, identity=number, impression=0, even=False
    )


def nearer(impression: Impression, image: np.ndarray, inner: Styled, outer: Styled) -> tuple[bool, bool]:
    """Inside, and outside, the contact: whether the picture is nearer to its own style image than to the other."""
    sides = []
    for side, own, other in ((0, inner, outer), (1, outer, inner)):
        here = texture(impression, image)[side]
        away = [np.linalg.norm(here - texture(*one)[side]) for one in (own, other)]
        sides.append(bool(away[0] < away[1]))
    return sides[0], sides[1]


def texture(impression: Impression, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, deviation, and deviation of what is finer than two widths, inside the contact and outside, in greys."""
    touched, grey = impression.contact.numpy() > 0.5, image.astype(float)
    inside, outside = binary_erosion(touched, iterations=EDGE), ~binary_dilation(touched, iterations=EDGE)
    fine = [grey - gaussian_filter(grey, width) for width in (1, 3)]
    inner, outer = (
        np.array([grey[mask].mean(), grey[mask].std(), *(band[mask].std() for band in fine)])
        for mask in (inside, outside)
    )
    return inner, outer


if __name__ == "__main__":
    main()
