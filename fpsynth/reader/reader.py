"""Images of any size and resolution -> how well each word of each slot fits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fpsynth.errors import DamagedFile, UserError
from fpsynth.grey import rescaled
from fpsynth.reader.bundled import CONFIG, WEIGHTS, default_reader
from fpsynth.reader.network import MULTIPLE, ReaderNetwork

PPI = 500


@dataclass(frozen=True)
class Reading:
    """Of n images. shares: slot -> (n, words) float32, each row sums to 1; words: as the reader's."""

    shares: Mapping[str, np.ndarray]
    words: Mapping[str, tuple[str, ...]]

    def said(self, slot: str) -> list[str]:
        """The likeliest word of each image."""
        return [self.words[slot][index] for index in self.shares[slot].argmax(1)]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A trained network and what is known of it.

    words      slot -> its words, in the order of their probabilities
    prior      slot -> their shares in its training data
    confusion  slot -> (true word, read word): shares of the held-out renders of the true word
    accuracy   slot -> share of the held-out renders whose likeliest word is the true one
    codec      digest of the codec whose noisy latents it can read
    """

    network: ReaderNetwork
    words: Mapping[str, tuple[str, ...]]
    prior: Mapping[str, np.ndarray]
    confusion: Mapping[str, np.ndarray]
    accuracy: Mapping[str, float]
    codec: str

    @torch.inference_mode()
    def read(self, images: Sequence[np.ndarray], ppi: float = PPI) -> Reading:
        """Read one or more grey images (H, W) uint8, ridges dark, at ppi."""
        each = [self._one(image, ppi) for image in images]
        return Reading({slot: np.stack([one[slot] for one in each]) for slot in self.words}, self.words)

    def _one(self, image: np.ndarray, ppi: float) -> dict[str, np.ndarray]:
        device = next(self.network.parameters()).device
        signed = torch.from_numpy(placed(image, ppi)).to(device)[None, None].float() / 127.5 - 1
        scores = self.network(signed, torch.zeros(1, device=device))
        return {slot: score[0].softmax(0).cpu().numpy() for slot, score in scores.items()}


def placed(image: np.ndarray, ppi: float) -> np.ndarray:
    """A grey image at 500 ppi, its border repeated until both sides are multiples of 32."""
    image = rescaled(image, PPI / ppi)
    more = [-side % MULTIPLE for side in image.shape]
    before = [extra // 2 for extra in more]
    sides = zip(before, (extra - half for extra, half in zip(more, before, strict=True)), strict=True)
    return np.pad(image, list(sides), mode="edge")


def load_reader(folder: Path | None = None, device: str = "cpu") -> Reader:
    """Load a reader that `fpsynth train reader` wrote; the bundled one by default.

    Raises UserError where there is none, DamagedFile for what cannot be read.
    """
    folder = folder or default_reader()
    if not (folder / WEIGHTS).exists() or not (folder / CONFIG).exists():
        raise UserError(f"{folder}: not a reader ({WEIGHTS} and {CONFIG})")
    try:
        reader = _read(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        reader.network.load_state_dict({key: value.float() for key, value in load_file(folder / WEIGHTS).items()})
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise DamagedFile(f"{folder}: not a readable reader: {' '.join(str(error).split())[:200]}") from None
    reader.network.eval().requires_grad_(False).to(device)
    return reader


def _read(content: Mapping[str, Mapping[str, Any]]) -> Reader:
    """A reader by its config, with weights that are yet to be loaded."""
    words = {slot: tuple(map(str, own)) for slot, own in content["words"].items()}
    return Reader(
        network=ReaderNetwork(words),
        words=words,
        prior={slot: np.array(content["prior"][slot], np.float64) for slot in words},
        confusion={slot: np.array(content["confusion"][slot], np.float64) for slot in words},
        accuracy={slot: float(content["accuracy"][slot]) for slot in words},
        codec=str(content["codec"]),
    )


def save_reader(folder: Path, reader: Reader) -> None:
    """Write weights (fp16) and config."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {key: value.half().contiguous() for key, value in reader.network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    content = {
        "codec": reader.codec,
        "words": dict(reader.words),
        "accuracy": {slot: round(share, 4) for slot, share in reader.accuracy.items()},
        "prior": {slot: table.round(4).tolist() for slot, table in reader.prior.items()},
        "confusion": {slot: table.round(4).tolist() for slot, table in reader.confusion.items()},
    }
    (folder / CONFIG).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
