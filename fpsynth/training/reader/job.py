"""The job of the reader stage: words off images, and off noisy latents."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.console import Console
from fpsynth.diffusion.model import Model, load_model
from fpsynth.diffusion.schedule import stratified_times
from fpsynth.errors import UserError
from fpsynth.model_folder import default_model
from fpsynth.reader.network import ReaderNetwork
from fpsynth.reader.reader import Reader, load_reader, save_reader
from fpsynth.training.data import Bank, to_signed
from fpsynth.training.loop import Learner, fast_group_norm, fit, step_generator
from fpsynth.training.reader.lessons import OPEN, Shown, answers, draw_images, noisy, vocabulary
from fpsynth.training.reader.settings import ReaderSettings

BATCH = 16
"""Images that are measured at once."""


class ReaderJob:
    """Cross entropy of every slot's word, the slots even; some images clean, some noisy."""

    def __init__(
        self,
        network: ReaderNetwork,
        words: Mapping[str, Sequence[str]],
        bank: Bank,
        model: Model,
        settings: ReaderSettings,
    ) -> None:
        self.network, self._words, self._bank, self._model, self._settings = network, words, bank, model, settings
        self.learners = (Learner(modules={"reader": network}, loss=self.loss),)

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        shown = self._draw(step_generator(self._settings.loop.seed, step))
        scores = self.network(shown.images.to(device), shown.angle.to(device))
        wanted = {slot: own.to(device) for slot, own in shown.answers.items()}
        losses = [_loss(scores[slot], wanted[slot]) for slot in scores]
        clean = shown.angle.to(device) == 0
        return torch.stack(losses).mean(), {slot: _right(scores[slot], wanted[slot], clean) for slot in scores}

    def _draw(self, generator: torch.Generator) -> Shown:
        settings, count = self._settings, self._settings.loop.batch
        side = settings.sides[int(torch.randint(len(settings.sides), (1,), generator=generator))]
        index = torch.randint(len(self._bank) - settings.held_out, (count,), generator=generator).tolist()
        mirrored = (torch.rand(count, generator=generator) < 0.5).tolist()
        images = draw_images(self._bank, index, mirrored, side, generator)
        part = round(settings.noisy * count)
        t = stratified_times(generator, part, self._model.schedule.steps)
        images[:part], angle = noisy(images[:part], t, self._model.codec, self._model.schedule, generator)
        labels = [self._bank.labels[i] for i in index]
        return Shown(images, F.pad(angle, (0, count - part)), answers(self._words, labels, mirrored))

    def grid(self) -> None:
        """There is nothing to look at."""


def _loss(scores: Tensor, wanted: Tensor) -> Tensor:
    """Mean over the images whose word is known; 0 where there is none."""
    return F.cross_entropy(scores, wanted, ignore_index=OPEN, reduction="sum") / (wanted != OPEN).sum().clamp_min(1)


def _right(scores: Tensor, wanted: Tensor, clean: Tensor) -> float:
    """Share of the clean images with a known word that are read rightly."""
    known = clean & (wanted != OPEN)
    right = (scores.argmax(1) == wanted) & known
    return float(right.sum() / known.sum().clamp_min(1))


def run_reader(settings: ReaderSettings, bank: Bank, out: Path, device: str, console: Console) -> None:
    """Train, measure on the images held out, and write out/reader/. Raises UserError for a bank of those alone."""
    if settings.held_out >= len(bank):
        raise UserError(
            f"held_out: {settings.held_out} of the {len(bank)} images of the bank: none is left to learn from"
        )
    model = load_model(settings.model or default_model(), dtype=torch.float32)
    taught = bank.labels[: len(bank) - settings.held_out]
    words = vocabulary(taught)
    torch.manual_seed(settings.loop.seed)
    network = ReaderNetwork(words) if settings.start is None else _begun(settings.start, words)
    fast_group_norm(network)
    fit(ReaderJob(network, words, bank, model, settings), settings.loop, out, device, console)
    counts = count_reading(network, words, bank, settings.held_out)
    reader = Reader(
        network=network,
        words=words,
        prior={
            slot: _shares(own) for slot, own in _counted(answers(words, taught, [False] * len(taught)), words).items()
        },
        confusion={slot: _shares(table) for slot, table in counts.items()},
        accuracy={slot: float(table.trace() / table.sum()) for slot, table in counts.items()},
        codec=model.codec.digest,
    )
    save_reader(out / "reader", reader)
    console.note(f"reader: {out / 'reader'}; " + ", ".join(f"{s} {100 * a:.0f} %" for s, a in reader.accuracy.items()))


def _begun(folder: Path, words: Mapping[str, Sequence[str]]) -> ReaderNetwork:
    """A trained network, free to learn. Raises UserError for one of other words."""
    reader = load_reader(folder)
    if reader.words != words:
        raise UserError(f"start: {folder} reads other words than the bank's")
    return reader.network.train().requires_grad_(True)


def _counted(numbers: Mapping[str, Tensor], words: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    return {slot: np.bincount(own[own != OPEN], minlength=len(words[slot])) for slot, own in numbers.items()}


def _shares(counts: np.ndarray) -> np.ndarray:
    """Counts along the last axis as shares."""
    shares: np.ndarray = counts / np.maximum(counts.sum(-1, keepdims=True), 1)
    return shares


@torch.inference_mode()
def count_reading(
    network: ReaderNetwork, words: Mapping[str, Sequence[str]], bank: Bank, count: int
) -> dict[str, np.ndarray]:
    """Slot -> (true word, read word): counts over the last images of a bank, clean and whole."""
    tables = {slot: np.zeros((len(own), len(own)), np.int64) for slot, own in words.items()}
    for start in range(len(bank) - count, len(bank), BATCH):
        index = range(start, min(start + BATCH, len(bank)))
        images = to_signed(torch.stack([bank.image(i) for i in index])[:, None])
        scores = network(images, torch.zeros(len(images)))
        true = answers(words, [bank.labels[i] for i in index], [False] * len(index))
        for slot, table in tables.items():
            known = true[slot] != OPEN
            np.add.at(table, (true[slot][known].numpy(), scores[slot].argmax(1)[known].numpy()), 1)
    return tables
