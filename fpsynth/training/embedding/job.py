"""The job of the embedding stage.

Three lessons at once: the pose of the finger, known exactly for virtual prints; which prints are of one finger, by the
supervised contrastive loss (Khosla et al., NeurIPS 2020); and a map of the minutiae, which keeps the features from
living on the flow of the ridges alone (DeepPrint, see embedding.network). Most batches hold fingers of one pattern
class, loops turned the same way by a mirror, so that telling them apart takes more than the class.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from fpsynth.console import Console
from fpsynth.embedding.bundled import CONFIG, WEIGHTS
from fpsynth.embedding.network import (
    DIRECTIONS,
    SIZE,
    WIDTHS,
    WINDOW,
    EmbeddingNetwork,
    aligned,
    corrected,
    pose_of,
)
from fpsynth.extractor.contrast import CLIP, normalised
from fpsynth.training.contrastive import contrastive
from fpsynth.training.data import Prints, draw_pattern
from fpsynth.training.embedding.augment import KINDS, Lot, disturbed, draw_fingers, mirrored, moved
from fpsynth.training.embedding.losses import map_loss, minutiae_map, seen_off
from fpsynth.training.embedding.settings import EmbeddingSettings
from fpsynth.training.loop import Learner, fast_group_norm, fit, step_generator

POSE_ERROR = (4.0, 4.0, 0.1)
"""Standard deviation (pixels, pixels, radians) of the poses at which prints are cut out to be described."""
FIRST_ERROR = (0.7, 0.7, 0.8)
"""And of those that are to be corrected, in units of STEP."""
LEVELS = 127 / CLIP
"""Normalised contrast is kept in int8, in steps of 1 / LEVELS."""


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
        part = normalised(images[start : start + 64, None].float(), WINDOW)[:, 0]
        even[start : start + 64] = (part * LEVELS).round().to(torch.int8)
    return even


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
