"""The embedding stage: a network that describes a print by a vector, learnt from virtual fingers alone.

Three lessons at once: the pose of the finger, known exactly for virtual prints; which prints are of one finger, by the
supervised contrastive loss (Khosla et al., NeurIPS 2020); and a map of the minutiae, which keeps the features from
living on the flow of the ridges alone (DeepPrint, see embedding.network). Most batches hold fingers of one pattern
class, loops turned the same way by a mirror, so that telling them apart takes more than the class.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt
from safetensors.torch import save_file
from torch import Tensor, nn

from fpsynth.console import Console
from fpsynth.embedding.bundled import CONFIG, WEIGHTS
from fpsynth.embedding.network import (
    CELL,
    CLIP,
    CROP,
    DIRECTIONS,
    SIZE,
    STEP,
    WIDTHS,
    EmbeddingNetwork,
    aligned,
    corrected,
    normalised,
    pose_of,
)
from fpsynth.training.bank import draw_pattern
from fpsynth.training.loop import Learner, LoopSettings, fast_group_norm, fit, step_generator
from fpsynth.training.prints import Prints, PrintSettings

POSE_ERROR = (4.0, 4.0, 0.1)
"""Standard deviation (pixels, pixels, radians) of the poses at which prints are cut out to be described."""
FIRST_ERROR = (0.7, 0.7, 0.8)
"""And of those that are to be corrected, in units of STEP."""
KINDS = {"left_loop": 0, "right_loop": 1, "whorl": 2, "double_loop": 2, "arch": 3, "tented_arch": 3}
EVERY, LOOPS = (0, 1, 2, 3), (0, 1)
HARDNESS = ((EVERY, 0.3), (LOOPS, 0.4), ((2,), 0.2), ((3,), 0.1))
"""Kinds of the fingers of a batch, and how often."""
LEVELS = 127 / CLIP
"""Normalised contrast is kept in int8, in steps of 1 / LEVELS."""


class EmbeddingSettings(BaseModel):
    """A recipe of this stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["embedding"]
    prints: PrintSettings = PrintSettings()
    loop: LoopSettings
    size: PositiveInt = Field(default=192, description="length of the vector")
    temperature: PositiveFloat = Field(default=0.07, description="of the cosines in the contrastive loss")
    pose: PositiveFloat = Field(default=2.0, description="weight of the pose")
    minutiae: PositiveFloat = Field(default=1.0, description="weight of the minutiae map")


@dataclass(frozen=True)
class Lot:
    """Some prints: whole (B, 1, 256, 256) normalised, finger (B,), poses (B, 3), minutiae (B, 96, 3)."""

    whole: Tensor
    finger: Tensor
    poses: Tensor
    minutiae: Tensor


class EmbeddingJob:
    """Two prints of each of some fingers, moved and disturbed; the three losses. loop.batch counts prints."""

    def __init__(self, network: EmbeddingNetwork, prints: Prints, settings: EmbeddingSettings) -> None:
        self.network, self._settings = network, settings
        self._prints, self._even = prints, _normalised_bank(prints.images)
        self._captures = settings.prints.captures
        self._kinds = torch.tensor(
            [KINDS[draw_pattern(settings.prints, f)] for f in range(len(prints) // self._captures)]
        )
        self.map = nn.Conv2d(WIDTHS[2], DIRECTIONS, 1)

    @property
    def learners(self) -> tuple[Learner, ...]:
        return (Learner(modules={"embedding": self.network, "map": self.map}, loss=self.loss),)

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        generator = step_generator(self._settings.loop.seed, step)
        lot = self._draw(generator)
        pose, away = self._pose_loss(lot, generator, device, dtype)
        near = lot.poses + torch.randn(lot.poses.shape, generator=generator) * torch.tensor(POSE_ERROR)
        crop = disturbed(aligned(lot.whole, near), generator)
        features = self.network.print.features(_placed(crop, device, dtype))
        vectors = self.network.print.describe(features)
        off = self._correction_loss(lot, generator, device, dtype)
        identity, right = contrastive(vectors, lot.finger.to(device), self._settings.temperature)
        minutiae = map_loss(self.map(features).float(), minutiae_map(lot.minutiae, near).to(device))
        total = identity + self._settings.pose * (pose + off[0]) + self._settings.minutiae * minutiae
        figures = {"identity": float(identity.detach()), "right": right, "map": float(minutiae.detach())}
        return total, figures | {"pose_px": away, "corrected_px": off[1]}

    def _draw(self, generator: torch.Generator) -> Lot:
        """Two prints of each finger, one after the other."""
        finger, flip = draw_fingers(self._kinds, self._settings.loop.batch // 2, generator)
        shots = torch.rand(len(finger), self._captures, generator=generator).argsort(1)[:, :2]
        lot = self._lot((finger[:, None] * self._captures + shots).flatten())
        return mirrored(lot, flip.repeat_interleave(2))

    def _lot(self, index: Tensor) -> Lot:
        whole = self._even[index].float()[:, None] / LEVELS
        return Lot(whole, self._prints.finger[index], self._prints.poses[index], self._prints.minutiae[index])

    def _pose_loss(
        self, lot: Lot, generator: torch.Generator, device: torch.device, dtype: torch.dtype
    ) -> tuple[Tensor, float]:
        """Every fourth print, turned and moved at random. Returns the loss and the median error of the centre."""
        whole, pose = moved(lot.whole[::4], lot.poses[::4], generator)
        estimate = self.network.pose(_placed(disturbed(whole, generator), device, dtype)).float()
        wanted = torch.cat([pose[:, :2] * 2 / (SIZE - 1) - 1, pose[:, 2:].cos(), pose[:, 2:].sin()], 1).to(device)
        off = (pose_of(estimate.detach().cpu())[:, :2] - pose[:, :2]).norm(dim=1).median()
        return F.smooth_l1_loss(estimate, wanted, beta=0.1), float(off)

    def _correction_loss(
        self, lot: Lot, generator: torch.Generator, device: torch.device, dtype: torch.dtype
    ) -> tuple[Tensor, float]:
        """Another quarter, cut out at poses that are far off. Returns the loss and the median error that is left."""
        whole, true = lot.whole[1::4], lot.poses[1::4]
        wrong = torch.randn(true.shape, generator=generator) * torch.tensor(FIRST_ERROR)
        pose = corrected(true, -wrong)
        crop = disturbed(aligned(whole, pose), generator)
        estimate = self.network.print.off(self.network.print.features(_placed(crop, device, dtype))).float()
        left = (corrected(pose, estimate.detach().cpu())[:, :2] - true[:, :2]).norm(dim=1).median()
        return F.smooth_l1_loss(estimate, seen_off(pose, true).to(device), beta=0.1), float(left)

    def grid(self) -> Tensor:
        """Four prints of each of six fingers, cut out where they are found."""
        whole = self._lot(torch.tensor([f * self._captures + k for f in range(6) for k in range(4)])).whole
        device = next(self.network.parameters()).device
        return aligned(whole, self.network.find(whole.to(device)).cpu()) / -CLIP


def _placed(x: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return x.to(device, dtype, memory_format=torch.channels_last)


def _normalised_bank(images: Tensor) -> Tensor:
    """(n, 256, 256) int8."""
    even = torch.empty(images.shape, dtype=torch.int8)
    for start in range(0, len(images), 64):
        part = normalised(images[start : start + 64, None].float())[:, 0]
        even[start : start + 64] = (part * LEVELS).round().to(torch.int8)
    return even


def seen_off(pose: Tensor, true: Tensor) -> Tensor:
    """What `corrected` needs to make the true pose of this one."""
    step = true[:, :2] - pose[:, :2]
    cos, sin = pose[:, 2].cos(), pose[:, 2].sin()
    frame = torch.stack([cos * step[:, 0] + sin * step[:, 1], cos * step[:, 1] - sin * step[:, 0]], 1)
    return torch.cat([frame, (true[:, 2:] - pose[:, 2:])], 1) / true.new_tensor(STEP)


def draw_fingers(kinds: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers of different fingers, and which are to be mirrored. kinds: of every finger, see KINDS.

    Of all kinds, or of one where it has two fingers or more; loops then all open to the same side. Fewer than `count`
    where there are not as many.
    """
    drawn = int(torch.multinomial(torch.tensor([share for _, share in HARDNESS]), 1, generator=generator))
    wanted = HARDNESS[drawn][0]
    pool = torch.isin(kinds, torch.tensor(wanted)).nonzero()[:, 0]
    if len(pool) < 2:
        wanted, pool = EVERY, torch.arange(len(kinds))
    finger = pool[torch.randperm(len(pool), generator=generator)[:count]]
    flip = torch.rand(len(finger), generator=generator) < 0.5
    return finger, (kinds[finger] == 0) ^ bool(flip[0]) if wanted == LOOPS else flip


def mirrored(lot: Lot, chosen: Tensor) -> Lot:
    """The chosen prints left to right reversed."""
    x, y, turn = lot.poses.unbind(1)
    across, down, direction = lot.minutiae.unbind(2)
    poses = torch.stack([torch.where(chosen, SIZE - 1 - x, x), y, torch.where(chosen, -turn, turn)], 1)
    column = chosen[:, None]
    minutiae = torch.stack(
        [torch.where(column, SIZE - 1 - across, across), down, torch.where(column, math.pi - direction, direction)], 2
    )
    return Lot(torch.where(chosen[:, None, None, None], lot.whole.flip(3), lot.whole), lot.finger, poses, minutiae)


def moved(whole: Tensor, pose: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Whole prints turned by up to half a right angle about the middle and shifted by up to 24 px, with their poses."""
    count, middle = len(whole), (SIZE - 1) / 2
    turn = (torch.rand(count, generator=generator) - 0.5) * math.pi / 2
    shift = (torch.rand(count, 2, generator=generator) - 0.5) * 48
    cos, sin = turn.cos(), turn.sin()
    to = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # old = to (new - middle) + ...
    theta = torch.cat([to, (shift * 2 / (SIZE - 1))[:, :, None]], 2)
    grid = F.affine_grid(theta, list(whole.shape), align_corners=True)
    centre = torch.einsum("bji,bj->bi", to, pose[:, :2] - middle - shift) + middle
    return F.grid_sample(whole, grid, align_corners=True), torch.cat([centre, (pose[:, 2] - turn)[:, None]], 1)


def disturbed(x: Tensor, generator: torch.Generator) -> Tensor:
    """Normalised prints (B, 1, H, W) as another sensor, another pressure and another placement would give them."""
    count, _, height, width = x.shape
    u = torch.rand(count, 6, generator=generator)[:, :, None, None, None]
    x = x + 1.2 * (u[:, 0] - 0.5) * (x.abs() > 0.15)  # thinner or thicker ridges
    blurred = F.avg_pool2d(x, 3, 1, 1)
    x = torch.lerp(x, blurred, u[:, 1] * (u[:, 2] < 0.5))
    x = x * (0.5 + 0.8 * u[:, 3]) + 0.5 * u[:, 4] * torch.randn(x.shape, generator=generator) * (u[:, 5] < 0.5)
    return (x * _kept(count, height, width, generator)).clamp(-CLIP, CLIP)


def _kept(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """(B, 1, H, W): of some prints one side is cut off along a line, others have a hole."""
    u = torch.rand(count, 6, generator=generator)[:, :, None, None, None]
    y = torch.linspace(-1, 1, height)[:, None] * height / width
    x = torch.linspace(-1, 1, width)[None, :]
    turn = 2 * math.pi * u[:, 0]
    within = (x * turn.cos() + y * turn.sin() < 0.1 + 0.9 * u[:, 1]) | (u[:, 2] > 0.35)
    hole = (x - 2 * u[:, 3] + 1).square() + (y - 2 * u[:, 4] + 1).square() < 0.1
    return (within & ~(hole & (u[:, 5] < 0.3))).float()


def contrastive(vectors: Tensor, finger: Tensor, temperature: float) -> tuple[Tensor, float]:
    """The supervised contrastive loss (Khosla et al. 2020, equation 2, outside the logarithm) of unit vectors, and the
    share of prints whose nearest other print is of the same finger."""
    alike = (vectors @ vectors.T / temperature).fill_diagonal_(-math.inf)
    same = (finger[:, None] == finger[None]).fill_diagonal_(False)
    logs = F.log_softmax(alike, dim=1).masked_fill(~same, 0)
    right = same[torch.arange(len(same)), alike.detach().argmax(1)].float().mean()
    return -(logs.sum(1) / same.sum(1).clamp_min(1)).mean(), float(right)


def minutiae_map(minutiae: Tensor, pose: Tensor) -> Tensor:
    """(B, 6, 24, 20): 1 where a minutia of that direction lies in the cell, in the frame of the aligned print."""
    rows, cols = CROP[0] // CELL, CROP[1] // CELL
    offset = minutiae[:, :, :2] - pose[:, None, :2]
    cos, sin = pose[:, 2:].cos(), pose[:, 2:].sin()
    x = cos * offset[..., 0] + sin * offset[..., 1] + (CROP[1] - 1) / 2
    y = cos * offset[..., 1] - sin * offset[..., 0] + (CROP[0] - 1) / 2
    turn = torch.remainder(minutiae[:, :, 2] + pose[:, 2:], 2 * math.pi) / (2 * math.pi) * DIRECTIONS
    inside = (x >= 0) & (x < CROP[1]) & (y >= 0) & (y < CROP[0])  # False for NaN
    image = torch.arange(len(minutiae))[:, None].expand_as(x)[inside]
    cell = [plane[inside].long() for plane in (turn, y / CELL, x / CELL)]
    truth = torch.zeros(len(minutiae), DIRECTIONS, rows, cols)
    truth[image, cell[0] % DIRECTIONS, cell[1], cell[2]] = 1
    return truth


def map_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy in which the few cells with a minutia weigh more."""
    weight = torch.tensor(8.0, device=logits.device)
    return F.binary_cross_entropy_with_logits(logits, truth, pos_weight=weight)


def run_embedding(settings: EmbeddingSettings, prints: Prints, out: Path, device: str, console: Console) -> None:
    """Train, and write out/embedding/."""
    torch.manual_seed(settings.loop.seed)
    network = EmbeddingNetwork(settings.size)
    fast_group_norm(network)
    fit(EmbeddingJob(network, prints, settings), settings.loop, out, device, console)
    save_embedding(network, settings.size, out / "embedding")
    console.note(f"embedding: {out / 'embedding'}")


def save_embedding(network: EmbeddingNetwork, size: int, folder: Path) -> None:
    """Write weights (fp16) and config."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps({"size": size}, indent=2) + "\n", encoding="utf-8")
