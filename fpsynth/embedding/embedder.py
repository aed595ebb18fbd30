"""Grey images of any size and resolution -> vectors, with the bundled network or another."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from fpsynth.embedding.bundled import CONFIG, WEIGHTS, default_embedding
from fpsynth.embedding.network import PPI, SIZE, WINDOW, EmbeddingNetwork
from fpsynth.errors import DamagedFile, UserError
from fpsynth.extractor.contrast import normalised
from fpsynth.grey import rescaled

BATCH = 16


class Description(NamedTuple):
    """Of n prints: identity (n, size) float32 of unit length, whose dot products tell how alike two prints are, from -1
    to 1; texture (n, 128) float32, what the prints look like wherever their ridges run."""

    identity: np.ndarray
    texture: np.ndarray


@dataclass(frozen=True)
class Embedder:
    """A trained network; size is the length of its identity vectors."""

    network: EmbeddingNetwork
    size: int

    @torch.inference_mode()
    def describe(self, images: Sequence[np.ndarray], ppi: float = 500) -> Description:
        """Describe one or more grey images (H, W) uint8, ridges dark, at ppi."""
        parts = [self._some(images[start : start + BATCH], ppi) for start in range(0, len(images), BATCH)]
        return Description(*(np.concatenate(own) for own in zip(*parts, strict=True)))

    def _some(self, images: Sequence[np.ndarray], ppi: float) -> list[np.ndarray]:
        device = next(self.network.parameters()).device
        whole = torch.from_numpy(np.stack([placed(image, ppi) for image in images]))[:, None]
        return [found.float().cpu().numpy() for found in self.network(whole.to(device))]


def placed(image: np.ndarray, ppi: float) -> np.ndarray:
    """A grey image at 250 ppi, contrast-normalised, its ridges' middle in the middle of (256, 256) float32."""
    even = normalised(torch.from_numpy(rescaled(image, PPI / ppi).astype(np.float32))[None, None], WINDOW)[0, 0].numpy()
    x, y = middle(even)
    out: np.ndarray = cv2.getRectSubPix(np.pad(even, SIZE // 2), (SIZE, SIZE), (x + SIZE // 2, y + SIZE // 2))
    return out


def middle(even: np.ndarray) -> tuple[float, float]:
    """The centre of gravity (x, y) of a normalised image's contrast, in whole pixels."""
    weight = cv2.boxFilter(np.abs(even), -1, (25, 25)) ** 2
    total = float(weight.sum())
    if total <= 0:
        return (even.shape[1] - 1) / 2, (even.shape[0] - 1) / 2
    y, x = np.mgrid[0 : even.shape[0], 0 : even.shape[1]]
    return float(round((weight * x).sum() / total)), float(round((weight * y).sum() / total))


def load_embedder(folder: Path | None = None, device: str = "cpu") -> Embedder:
    """Load a network that `fpsynth train embedding` wrote; the bundled one by default.

    Raises UserError where there is none, DamagedFile for what cannot be read.
    """
    folder = folder or default_embedding()
    weights, config = folder / WEIGHTS, folder / CONFIG
    if not weights.exists() or not config.exists():
        raise UserError(f"{folder}: not a fingerprint embedding ({WEIGHTS} and {CONFIG})")
    try:
        size = int(json.loads(config.read_text(encoding="utf-8"))["size"])
        network = EmbeddingNetwork(size)
        network.load_state_dict({key: value.float() for key, value in load_file(weights).items()})
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DamagedFile(
            f"{folder}: not a readable fingerprint embedding: {' '.join(str(error).split())[:200]}"
        ) from None
    return Embedder(network.eval().to(device), size)
