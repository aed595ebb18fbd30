"""Prints of many virtual fingers, each captured several times by different devices: what an embedding learns from.

A chunk is 16 fingers, rendered at 500 ppi and kept at 250 ppi with the pose of the finger and its minutiae. It depends
on (seed, index) only.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt

from fpsynth.embedding.network import PPI, SIZE
from fpsynth.errors import DamagedFile
from fpsynth.finger import MASTER_PPI, Finger, make_finger
from fpsynth.impression import CaptureSettings, Impression, capture
from fpsynth.rng import Stream, generator
from fpsynth.sensor import render
from fpsynth.training.bank import Mixture, claim, draw_device_of, draw_labels, draw_pattern
from fpsynth.work import processes

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

    def content(self) -> dict[str, object]:
        """What decides the bytes of a chunk."""
        return self.model_dump(exclude={"fingers", "workers"})


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


def build_prints(folder: Path, settings: PrintSettings, say: Callable[[str], None] = print) -> Prints:
    """Render what is missing, and read all. Raises UserError when the folder holds prints of other settings."""
    folder.mkdir(parents=True, exist_ok=True)
    claim(folder / "prints.json", settings.content())
    missing = [i for i in range(settings.chunks) if not _file(folder, i).exists()]
    with processes(min(settings.workers, len(missing))) as mapper:
        for done, _ in enumerate(mapper(partial(write_prints, folder, settings), missing), 1):
            say(f"prints: {done} of {len(missing)} chunks of {FINGERS} fingers")
    return read_prints([_file(folder, i) for i in range(settings.chunks)])


def _file(folder: Path, index: int) -> Path:
    return folder / f"prints-{index:05d}.npz"


def write_prints(folder: Path, settings: PrintSettings, index: int) -> None:
    """Render one chunk and put it in the folder, whole or not at all."""
    temporary = folder / f"prints-{index:05d}.part.npz"
    chunk = render_prints(settings, range(index * FINGERS, (index + 1) * FINGERS))
    np.savez(temporary, **{name: plane.numpy() for name, plane in vars(chunk).items()})
    os.replace(temporary, _file(folder, index))


def read_prints(files: list[Path]) -> Prints:
    """All chunks, in memory. Raises DamagedFile for one that cannot be read."""
    parts = [_read(file) for file in files]
    return Prints(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def _read(file: Path) -> Prints:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return Prints(**{name: torch.from_numpy(stored[name]) for name in stored.files})
    except (OSError, ValueError, TypeError) as error:
        raise DamagedFile(f"{file}: not a readable chunk of prints ({error})") from None


def render_prints(settings: PrintSettings, fingers: range) -> Prints:
    """The prints of these fingers. A function of the arguments and of nothing else."""
    shots = [shot for number in fingers for shot in _render_finger(settings, number)]
    images, poses, minutiae = zip(*shots, strict=True)
    owner = torch.tensor([number for number in fingers for _ in range(settings.captures)])
    return Prints(torch.stack(images), owner, torch.stack(poses), torch.stack(minutiae))


Shot = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _render_finger(settings: PrintSettings, number: int) -> list[Shot]:
    finger = make_finger(generator(settings.seed, Stream.FINGER, number), draw_pattern(settings, number))
    return [_shoot(settings, finger, number, shot) for shot in range(settings.captures)]


def _shoot(settings: PrintSettings, finger: Finger, number: int, shot: int) -> Shot:
    device = draw_device_of(settings, number * settings.captures + shot)
    label = draw_labels(settings, number, shot, device)
    rng = generator(settings.seed, Stream.CAPTURE, number, shot)
    words = label.acquisition, label.quality, label.skin, label.pressure, float(rng.uniform(CALM, WILD))
    side = SIZE * 500 // PPI
    impression = capture(finger, CaptureSettings(side, side, 500, *words), rng)
    image = render(impression, device, generator(settings.seed, Stream.RENDER, number, shot))
    small = F.avg_pool2d(image[None, None].float(), 500 // PPI)[0, 0].round().to(torch.uint8)
    return small, pose_in(impression, finger), minutiae_of(impression)


def pose_in(impression: Impression, finger: Finger) -> torch.Tensor:
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
    scale = PPI / MASTER_PPI
    return torch.tensor([(centre[0] + 0.5) * scale - 0.5, (centre[1] + 0.5) * scale - 0.5, angle]).float()


def minutiae_of(impression: Impression) -> torch.Tensor:
    """(96, 3) x, y in pixels at 250 ppi and the direction in radians, counter-clockwise."""
    table = torch.full((MOST, 3), float("nan"))
    known = torch.tensor([(m.x, m.y, np.radians(m.angle)) for m in impression.minutiae[:MOST]]).reshape(-1, 3)
    scale = PPI / impression.settings.ppi
    table[: len(known)] = known.float() * torch.tensor([scale, scale, 1.0])
    return table
