"""The job of the extractor stage: the bank's ridges and contact, off its images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from fpsynth.console import Console
from fpsynth.extractor.network import STEEP, RidgeNetwork, save_network
from fpsynth.training.batches import Side
from fpsynth.training.data import SIZE, Bank, BankSettings
from fpsynth.training.loop import Learner, LoopSettings, fit, step_generator
from fpsynth.training.views import recoloured

RIDGE, CONTACT = "ridge", "contact"
LOOKED_AT = 4

Zoom = Annotated[float, Field(ge=0.5, le=2)]


class ExtractorSettings(BaseModel):
    """A recipe of this stage.

    crop   side of what is cut out of the images at each step
    zoom   how much smaller and larger than they are ridges are shown, at most
    touch  weight of the loss of contact, beside that of the ridges
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["extractor"]
    bank: Path | BankSettings = Field(default_factory=BankSettings)
    crop: Side = 256
    zoom: tuple[Zoom, Zoom] = (0.8, 1.25)
    touch: float = Field(default=0.3, ge=0)
    loop: LoopSettings


class ExtractorJob:
    """Cross entropy of ridge or valley where skin touches, and of touch or not everywhere."""

    def __init__(self, network: RidgeNetwork, bank: Bank, settings: ExtractorSettings) -> None:
        self.network, self._bank, self._settings = network, bank, settings
        self.learners = (Learner(modules={"extractor": network}, loss=self.loss),)

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        grey, ridge, contact = (x.to(device) for x in self._draw(step_generator(self._settings.loop.seed, step)))
        said = self.network(grey)
        wrong = F.binary_cross_entropy_with_logits(said[:, :1], ridge, reduction="none")
        touching = (contact > 0.5).float()
        ridges = (wrong * touching).sum() / touching.sum().clamp_min(1)
        touch = F.binary_cross_entropy_with_logits(said[:, 1:], contact)
        right = (((said[:, :1] > 0) == (ridge > 0.5)) * touching).sum() / touching.sum().clamp_min(1)
        figures = {"ridges": float(ridges.detach()), "touch": float(touch.detach()), "right": float(right.detach())}
        return ridges + self._settings.touch * touch, figures

    def _draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Grey levels, how much of a ridge, how much of contact: (B, 1, crop, crop) each."""
        crop, (low, high) = self._settings.crop, self._settings.zoom
        zoom = low * (high / low) ** float(torch.rand((), generator=generator))
        side = min(round(crop / zoom), SIZE)
        index = torch.randint(len(self._bank), (self._settings.loop.batch,), generator=generator).tolist()
        corner = torch.randint(SIZE - side + 1, (len(index), 2), generator=generator).tolist()
        turns, flip = torch.randint(4, (2,), generator=generator).tolist()
        cut = [self._cut(i, top, left, side) for i, (top, left) in zip(index, corner, strict=True)]
        shown = F.interpolate(torch.stack(cut), (crop, crop), mode="bilinear", antialias=True)
        shown = torch.rot90(shown.flip(-1) if flip % 2 else shown, turns, (-2, -1))
        image, ridge, contact = shown[:, :1], shown[:, 1:2], shown[:, 2:]
        wave = 2 * (ridge / 255 - 0.5) / (contact / 255).clamp_min(0.5)
        grey = (recoloured(image / 127.5 - 1, generator) + 1) * 127.5
        return grey, (torch.tanh(STEEP * wave) + 1) / 2, contact / 255

    def _cut(self, index: int, top: int, left: int, side: int) -> Tensor:
        """(3, side, side): image, ridge and contact."""
        image = self._bank.image_crop(index, top, left, side)[None]
        return torch.cat([image, self._bank.planes_crop(index, top, left, side, (RIDGE, CONTACT))]).float()

    @torch.no_grad()
    def grid(self) -> Tensor:
        """Images, the ridges that are seen in them, and the bank's."""
        some = [self._cut(i * len(self._bank) // LOOKED_AT, 128, 128, 256) for i in range(LOOKED_AT)]
        shown = torch.stack(some)
        image, ridge = shown[:, :1], shown[:, 1:2]
        device = self.network.out.weight.device
        seen = torch.tanh(self.network(image.to(device))[:, :1] / 2).cpu()
        return torch.stack([image / 127.5 - 1, seen, ridge / 127.5 - 1], 1).flatten(0, 1)


def run_extractor(settings: ExtractorSettings, bank: Bank, out: Path, device: str, console: Console) -> None:
    """Train, and write out/extractor/. Raises UserError for a bank without the planes of ridges and contact."""
    torch.manual_seed(settings.loop.seed)
    network = RidgeNetwork()
    fit(ExtractorJob(network, bank, settings), settings.loop, out, device, console)
    save_network(out / "extractor", network)
    console.note(f"extractor: {out / 'extractor'}")
