"""The program's own embedding on a dataset's images: likeness of prints without any judge, and a fast first screen."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fpsynth.inspect.measure.record import Print, Record

if TYPE_CHECKING:
    from fpsynth.embedding.embedder import Embedder

BLOCK = 512
"""Images whose likeness to all others is held at once."""


@cache
def embedder() -> "Embedder":
    """The bundled network, loaded once a process; torch is loaded only where it is used."""
    from fpsynth.embedding.embedder import load_embedder

    return load_embedder()


def describe(image: np.ndarray, ppi: float) -> Print:
    """What is kept of a grey image (H, W) uint8."""
    told = embedder().describe([image], ppi)
    return Print(*(vector[0].astype(np.float16).tobytes() for vector in told))


def identities(records: Sequence[Record]) -> np.ndarray:
    """(n, size) float32 unit vectors of records that have one."""
    return np.stack([np.frombuffer(r.print.identity, np.float16) for r in records if r.print]).astype(np.float32)


def textures(records: Sequence[Record]) -> np.ndarray:
    """(n, 128) float32 of records that have one."""
    return np.stack([np.frombuffer(r.print.texture, np.float16) for r in records if r.print]).astype(np.float32)


def cosines(vectors: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Likeness of pairs (n, 2)."""
    likeness: np.ndarray = (vectors[pairs[:, 0]] * vectors[pairs[:, 1]]).sum(1)
    return likeness


def closest_strangers(vectors: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    """The `count` most alike pairs (n, 2) of images of different owners, the most alike first."""
    pairs, likeness = np.empty((0, 2), np.int64), np.empty(0, np.float32)
    for start in range(0, len(vectors), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(vectors)))
        table = vectors[rows] @ vectors.T
        other = (owner[rows][:, None] != owner[None]) & (rows[:, None] < np.arange(len(vectors))[None])
        i, j = np.nonzero(other & (table >= _least(table[other], count)))
        pairs = np.concatenate([pairs, np.stack([rows[i], j], 1)])
        likeness = np.concatenate([likeness, table[i, j]])
        best = np.argsort(-likeness, kind="stable")[:count]
        pairs, likeness = pairs[best], likeness[best]
    return pairs


def _least(values: np.ndarray, count: int) -> float:
    """The count-th largest value; less than all where there are fewer."""
    return float(np.partition(values, -count)[-count]) if len(values) > count else -np.inf


def nearest(vectors: np.ndarray, others: np.ndarray, count: int) -> np.ndarray:
    """(n, count) for each vector its most alike among the others, the most alike first."""
    parts = [
        np.argsort(-(vectors[start : start + BLOCK] @ others.T), axis=1, kind="stable")[:, :count]
        for start in range(0, len(vectors), BLOCK)
    ]
    return np.concatenate(parts)
