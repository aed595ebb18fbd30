"""Prints of many virtual fingers, each captured several times by different devices: what an embedding learns from.

A chunk is 16 fingers, rendered at 500 ppi and kept at 250 ppi with the pose of the finger and its minutiae. It depends
on (seed, index) only.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt

from fpsynth.embedding.network import PPI, SIZE
from fpsynth.errors import DamagedFile
from fpsynth.finger import Master, grow_masters
from fpsynth.impression import CaptureSettings, Impression, capture
from fpsynth.rng import Stream, generator
from fpsynth.sensor import render
from fpsynth.training.data.description import Description, claim
from fpsynth.training.data.makers import names_of
from fpsynth.training.data.mixture import (
    Labels,
    Mixture,
    draw_device_of,
    draw_labels,
    draw_pattern,
    read_labels,
)
from fpsynth.training.data.store import Chunk, Say, Store

HOLDS = "prints"
COLUMNS = ("image", "pose", "minutiae")
FINGERS = 16
MOST = 96
"""Minutiae kept of an image; rows without one are NaN."""
CALM, WILD = 0.6, 1.3
"""Least and most variation of the captures."""


class PrintSettings(Mixture):
    """How many fingers, and how often each is captured; the shares are those of a bank."""

    seed: int = Field(default=770_001, ge=0)
    fingers: PositiveInt = 2560
    captures: int = Field(default=6, ge=2)

    @property
    def chunks(self) -> int:
        """Chunks that hold at least as many fingers as asked for."""
        return -(-self.fingers // FINGERS)

    def content(self) -> dict[str, Any]:
        """What decides the bytes of a chunk."""
        return {**super().content(), "captures": self.captures}


@dataclass(frozen=True)
class Prints:
    """images (n, 256, 256) uint8 at 250 ppi; finger (n,) int64; in pixels and radians (see embedding.network.aligned):
    poses (n, 3) float32; minutiae (n, 96, 3) float32: x, y and direction counter-clockwise, NaN where there is none."""

    images: torch.Tensor
    finger: torch.Tensor
    poses: torch.Tensor
    minutiae: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)


def build_prints(folder: Path, settings: PrintSettings, say: Say = print) -> Prints:
    """Render what is missing, and read all.

    Raises UserError when the folder holds prints of other settings, or by other fingers, captures or sensors.
    """
    claim(folder, Description(HOLDS, settings.content(), COLUMNS), names_of((), settings.sensors))
    store = Store(folder)
    missing = store.missing(settings.chunks)
    make = partial(render_prints, settings)
    tell = f"of {len(missing)} chunks of {FINGERS} fingers"
    store.fill(make, missing, lambda done: say(f"prints: {done} {tell}"), settings.workers)
    return prints_of(store.read(index) for index in range(settings.chunks))


def prints_of(chunks: Iterable[Chunk]) -> Prints:
    """All prints of these chunks, in memory. Raises DamagedFile for a chunk that holds none."""
    held = list(chunks)
    try:
        image, pose, minutiae = (torch.cat([chunk.columns[name] for chunk in held]) for name in COLUMNS)
        finger = torch.tensor([read_labels(row).identity for chunk in held for row in chunk.rows])
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise DamagedFile(f"chunks that are no prints ({error})") from None
    return Prints(image, finger, pose, minutiae)


def render_prints(settings: PrintSettings, index: int, count: int = FINGERS) -> Chunk:
    """The prints of the first `count` fingers of chunk `index`. A function of the arguments and of nothing else."""
    first = index * FINGERS
    shots = [shot for number in range(first, first + count) for shot in _render_finger(settings, number)]
    labels, *planes = zip(*shots, strict=True)
    columns = {name: torch.stack(plane) for name, plane in zip(COLUMNS, planes, strict=True)}
    return Chunk(columns, [asdict(label) for label in labels])


Shot = tuple[Labels, torch.Tensor, torch.Tensor, torch.Tensor]
"""Labels, and a row of each of COLUMNS."""


def _render_finger(settings: PrintSettings, number: int) -> list[Shot]:
    rng = generator(settings.seed, Stream.FINGER, number)
    finger = grow_masters([rng], [draw_pattern(settings, number)], [0])[0]
    return [_shoot(settings, finger, number, shot) for shot in range(settings.captures)]


def _shoot(settings: PrintSettings, finger: Master, number: int, shot: int) -> Shot:
    device = draw_device_of(settings, number * settings.captures + shot)
    labels = draw_labels(settings, number, shot, device)
    rng = generator(settings.seed, Stream.CAPTURE, number, shot)
    variation = float(rng.uniform(CALM, WILD))
    side = SIZE * 500 // PPI
    impression = capture(finger, CaptureSettings.saying(labels.words, side, side, 500, variation), rng)
    image = render(impression, device, generator(settings.seed, Stream.RENDER, number, shot))
    small = F.avg_pool2d(image[None, None].float(), 500 // PPI)[0, 0].round().to(torch.uint8)
    return labels, small, pose_in(impression, finger), minutiae_of(impression)


def pose_in(impression: Impression, finger: Master) -> torch.Tensor:
    """(3,) x, y of the finger's centre in pixels at 250 ppi, and its angle: of the affine map nearest to the flow."""
    step = 16
    flow = impression.flow[::step, ::step].double().reshape(-1, 2)
    y, x = torch.meshgrid(*(torch.arange(0, n, step) for n in impression.contact.shape), indexing="ij")
    weight = impression.contact[::step, ::step].double().reshape(-1, 1) + 1e-3
    points = torch.stack([x.reshape(-1), y.reshape(-1), torch.ones(x.numel())], 1).double()
    solution = torch.linalg.lstsq(points * weight, flow * weight).solution  # (3, 2): master = image @ linear + offset
    linear, offset = solution[:2].T, solution[2]
    centre = torch.linalg.solve(linear, torch.tensor(finger.centre, dtype=torch.float64) - offset)
    angle = -torch.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])
    scale = PPI / impression.settings.ppi
    return torch.tensor([(centre[0] + 0.5) * scale - 0.5, (centre[1] + 0.5) * scale - 0.5, angle]).float()


def minutiae_of(impression: Impression) -> torch.Tensor:
    """(96, 3) x, y in pixels at 250 ppi and the direction in radians, counter-clockwise."""
    table = torch.full((MOST, 3), float("nan"))
    known = torch.tensor([(m.x, m.y, np.radians(m.angle)) for m in impression.minutiae[:MOST]]).reshape(-1, 3)
    scale = PPI / impression.settings.ppi
    table[: len(known)] = known.float() * torch.tensor([scale, scale, 1.0])
    return table
