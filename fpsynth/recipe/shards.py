"""Which identities lie in which shard, worked out where it is asked: a plan of 10^8 identities holds no list."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import overload

import numpy as np

from fpsynth.recipe.schema import Recipe
from fpsynth.recipe.spread import pick_each, spread_each
from fpsynth.rng import Stream, generator

BLOCK = 1 << 16
"""Identities whose splits are worked out at once."""


@dataclass(frozen=True)
class ShardPlan:
    """Some impressions of some identities of one split. index counts over all splits."""

    index: int
    split: str
    identities: tuple[int, ...]
    impressions: range

    @property
    def images(self) -> int:
        """How many rows the shard has."""
        return len(self.identities) * len(self.impressions)


@dataclass(frozen=True)
class Shards(Sequence[ShardPlan]):
    """The shards of a recipe, split by split: whole identities, as many as fit; one that fits in none is cut into runs
    of its impressions."""

    recipe: Recipe

    @property
    def counts(self) -> dict[str, int]:
        """The number of shards of each split that has any, in order."""
        return {split: self._needed(int(n)) for split, n in zip(self.recipe.splits, self._ends[-1], strict=True) if n}

    @property
    def identities(self) -> dict[str, int]:
        """The number of identities of each split that has any, in order."""
        return {split: int(n) for split, n in zip(self.recipe.splits, self._ends[-1], strict=True) if n}

    def __len__(self) -> int:
        return sum(self.counts.values())

    @overload
    def __getitem__(self, index: int) -> ShardPlan: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ShardPlan, ...]: ...

    def __getitem__(self, index: int | slice) -> ShardPlan | tuple[ShardPlan, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(len(self))[index])
        index = range(len(self))[index]
        ends = list(accumulate(self.counts.values()))
        split = bisect_right(ends, index)
        number = index - (ends[split - 1] if split else 0)
        name = list(self.counts)[split]
        return ShardPlan(index, name, *self._cut(name, number))

    def _needed(self, identities: int) -> int:
        """Shards for so many identities."""
        return -(-identities // self._each) if self._each else identities * self._runs

    @property
    def _each(self) -> int:
        """Identities a shard, 0 where none fits."""
        return self.recipe.output.shard_images // self.recipe.impressions

    @property
    def _runs(self) -> int:
        """Shards an identity, where none fits in one."""
        return -(-self.recipe.impressions // self.recipe.output.shard_images)

    def _cut(self, split: str, number: int) -> tuple[tuple[int, ...], range]:
        """Identities and impressions of a split's shard."""
        impressions, largest = self.recipe.impressions, self.recipe.output.shard_images
        if self._each:
            return self._members(split, number * self._each, self._each), range(impressions)
        who, run = divmod(number, self._runs)
        return self._members(split, who, 1), range(run * largest, min((run + 1) * largest, impressions))

    def _members(self, split: str, start: int, count: int) -> tuple[int, ...]:
        """The start-th identity of a split and those after it, count in all or as many as there are."""
        column = list(self.recipe.splits).index(split)
        ends, found = self._ends[:, column], []
        stop = min(start + count, int(ends[-1]))
        for block in range(int(np.searchsorted(ends, start, "right")), len(ends)):
            first = int(ends[block - 1]) if block else 0
            if first >= stop:
                break
            here = np.flatnonzero(_splits(self.recipe, block) == column) + block * BLOCK
            found.extend(here[max(start - first, 0) : stop - first].tolist())
        return tuple(found)

    @cached_property
    def _ends(self) -> np.ndarray:
        """(blocks, splits): identities of each split up to the end of each block."""
        kinds = len(self.recipe.splits)
        blocks = range(-(-self.recipe.identities // BLOCK))
        ends: np.ndarray = np.cumsum([np.bincount(_splits(self.recipe, i), minlength=kinds) for i in blocks], axis=0)
        return ends


def split_base(recipe: Recipe) -> np.ndarray:
    """Where the splits' sequence starts."""
    return generator(recipe.seed, Stream.SPLIT, 0).random(1)


def fingers_of(recipe: Recipe) -> int:
    """How many identities a subject has."""
    return 10 if recipe.finger.ten_fingers else 1


def _splits(recipe: Recipe, block: int) -> np.ndarray:
    """(n,) numbers of the splits that a block's identities are in. All fingers of a subject are in one split."""
    first, last = block * BLOCK, min((block + 1) * BLOCK, recipe.identities)
    base = float(split_base(recipe)[0])
    return _dealt(tuple(recipe.splits.items()), base, range(first, last), fingers_of(recipe))


@lru_cache(4)
def _dealt(shares: tuple[tuple[str, float], ...], base: float, identities: range, fingers: int) -> np.ndarray:
    """Numbers of the splits of identities, of which each subject has so many."""
    return pick_each(dict(shares), spread_each(np.array([base]), np.array(identities) // fingers)[:, 0])
