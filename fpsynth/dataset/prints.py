"""A finished dataset as a torch Dataset: images, labels without gaps, and the truth."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from fpsynth.dataset import manifest
from fpsynth.dataset.formats import open_format
from fpsynth.dataset.row import metadata_features
from fpsynth.dataset.stored import words_of
from fpsynth.errors import UserError
from fpsynth.slots import Words


@dataclass(frozen=True)
class Print:
    """An image (1, height, width) uint8 and what is true of it.

    label counts the identities of what was opened from 0, without gaps. minutiae is (n, 5) float32: x, y in pixels,
    angle in degrees, kind (0 ending, 1 bifurcation), quality. words are those of fpsynth.slots.
    """

    id: str
    image: Tensor
    label: int
    identity: int
    impression: int
    ppi: int
    minutiae: Tensor
    words: Words


@dataclass(frozen=True)
class Batch:
    """Prints side by side: images (B, 1, height, width) where they have one size, else a list; minutiae differ in
    number, and words may be None, so these stay lists."""

    images: Tensor | list[Tensor]
    labels: Tensor
    minutiae: list[Tensor]
    words: list[Words]
    ids: list[str]


class Prints(Dataset[Print]):
    """Rows in any order. They lie in the cache of `datasets`, mapped into memory, PNGs as they are."""

    def __init__(self, table: datasets.Dataset) -> None:
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Print:
        return self._print(self.table[index])

    @cached_property
    def identities(self) -> tuple[int, ...]:
        """The identity that each label stands for."""
        return tuple(sorted(set(self.table["identity"])))

    @cached_property
    def _labels(self) -> dict[int, int]:
        return {identity: label for label, identity in enumerate(self.identities)}

    def _print(self, told: Mapping[str, Any]) -> Print:
        with Image.open(io.BytesIO(told["png"]), formats=("PNG",)) as image:
            pixels = torch.from_numpy(np.array(image.convert("L")))[None]
        minutiae = [(m["x"], m["y"], m["angle"], m["kind"], m["quality"]) for m in told["minutiae"]]
        return Print(
            id=told["id"],
            image=pixels,
            label=self._labels[told["identity"]],
            identity=told["identity"],
            impression=told["impression"],
            ppi=told["ppi"],
            minutiae=torch.tensor(minutiae, dtype=torch.float32).view(-1, 5),
            words=words_of(told),
        )

    @staticmethod
    def collate(prints: Sequence[Print]) -> Batch:
        """For DataLoader(collate_fn=...)."""
        images: Any = [one.image for one in prints]
        if len({image.shape for image in images}) == 1:
            images = torch.stack(images)
        return Batch(
            images=images,
            labels=torch.tensor([one.label for one in prints]),
            minutiae=[one.minutiae for one in prints],
            words=[one.words for one in prints],
            ids=[one.id for one in prints],
        )


def open_prints(root: Path, split: str | None) -> Prints:
    """The prints of a finished dataset, or of one split. Raises UserError where there is none."""
    told = manifest.read(root)
    if told is None or not told.get("complete"):
        raise UserError(f"{root} holds no finished dataset of fpsynth")
    if split is not None and split not in told["splits"]:
        raise UserError(f"{root} has no split {split}: one of {', '.join(told['splits'])}")
    named = [record for record in manifest.shard_records(told) if split in (None, record.split)]
    columns = {name: column for name, column in metadata_features().items() if name != "file_name"}
    with _no_bars():
        table = datasets.Dataset.from_generator(
            _rows,
            features=datasets.Features({"png": datasets.Value("binary"), **columns}),
            gen_kwargs={
                "root": str(root.absolute()),
                "form": told["format"],
                "files": [(r.file, r.sha256) for r in named],
            },
        )
    return Prints(table)


def _rows(root: str, form: str, files: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The rows of these files; with their digests, by which `datasets` knows whether it has read them before."""
    for file, _ in files:
        for stored in open_format(form, Path(root)).rows(Path(root, file)):
            yield {"png": stored.encoded, **stored.facts}


@contextmanager
def _no_bars() -> Iterator[None]:
    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if bars:
            datasets.enable_progress_bars()
