"""The recipe unrolled: which identity is who, which impression is what, and which of them lie in which shard.

Who an identity is depends on the seed and its number, what an impression is on the seed, the identity and its number,
and on nothing else: with more identities the first ones stay as they are, and so do the shards that were full.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fpsynth.recipe.classes import class_shares
from fpsynth.recipe.rules import order, ruled
from fpsynth.recipe.schema import Recipe, shares_of
from fpsynth.recipe.shards import ShardPlan, Shards, fingers_of, split_base
from fpsynth.recipe.spread import SIDE, latin_square, pick, pick_or_none, spread
from fpsynth.rng import Stream, generator
from fpsynth.slots import SLOTS, Words
from fpsynth.vocabulary import FINGERS


@dataclass(frozen=True, kw_only=True)
class IdentityPlan:
    """Who an identity is. finger: ISO position 0..10. pattern: None where it is seen on the finger only."""

    identity: int
    subject: int
    finger: int
    pattern: str | None
    split: str


@dataclass(frozen=True, kw_only=True)
class RowPlan:
    """What one image shows.

    words: every slot, in the order of the table; None where the recipe leaves it open or the sensor cannot have the
    word. styles: indices into the style images.
    """

    who: IdentityPlan
    impression: int
    words: Words
    styles: tuple[int, ...]

    @property
    def identity(self) -> int:
        """The identity's number."""
        return self.who.identity


@dataclass(frozen=True)
class Plan:
    """All shards; which identities are in one, and its rows, are worked out where they are needed."""

    recipe: Recipe
    styles: int
    shards: Shards

    @property
    def images(self) -> int:
        """How many images there will be."""
        return self.recipe.identities * self.recipe.impressions

    @property
    def splits(self) -> dict[str, int]:
        """The number of shards of each split that has any, in order."""
        return self.shards.counts

    def rows(self, shard: ShardPlan) -> Iterator[RowPlan]:
        """The rows of a shard, identity by identity."""
        for number in shard.identities:
            who = plan_identity(self.recipe, number)
            for impression in shard.impressions:
                yield plan_row(self.recipe, who, impression, self.styles)


def make_plan(recipe: Recipe, styles: int = 0) -> Plan:
    """Unroll a recipe that has this many style images."""
    return Plan(recipe, styles, Shards(recipe))


def class_base(recipe: Recipe) -> np.ndarray:
    """Where the sequence of finger positions and pattern classes starts."""
    return generator(recipe.seed, Stream.SPLIT, 1).random(2)


def plan_identity(recipe: Recipe, identity: int) -> IdentityPlan:
    """Who this identity is."""
    finger = recipe.finger
    where, which = spread(class_base(recipe), identity)
    position = identity % 10 + 1 if finger.ten_fingers else FINGERS.index(pick(finger.position, where))
    pattern = None if finger.read_later else pick(finger.pattern or class_shares(position), which)
    subject = identity // fingers_of(recipe)
    split = pick(recipe.splits, spread(split_base(recipe), subject)[0])
    return IdentityPlan(identity=identity, subject=subject, finger=position, pattern=pattern, split=split)


def plan_row(recipe: Recipe, who: IdentityPlan, impression: int, styles: int = 0) -> RowPlan:
    """What this impression is: words dealt out so that shares hold within an identity and over all of them."""
    words = _words(recipe, who, impression)
    return RowPlan(who=who, impression=impression, words=words, styles=_styles(recipe, who, impression, styles))


def _words(recipe: Recipe, who: IdentityPlan, impression: int) -> Words:
    """The identity's pattern class and the dealt words, as the rules and the row's sensor have them."""
    said: dict[str, str | None] = {"pattern": who.pattern}
    for name in order(recipe.rules):
        slot = SLOTS[name]
        if slot.draw is not None:
            shares = ruled(shares_of(recipe, name), recipe.rules, name, said)
            drawn = _draw(recipe, who, impression, slot.draw)
            said[name] = slot.allowed(pick_or_none(shares, drawn), said.get("sensor"))
    return {name: said[name] for name in SLOTS}


def _draw(recipe: Recipe, who: IdentityPlan, impression: int, slot: int) -> float:
    """The draw of a slot (its number): each has squares of its own, so that a new slot changes none of the others."""
    square = _square(recipe.seed, who.identity // SIDE, impression // SIDE, slot)
    return float(square[who.identity % SIDE, impression % SIDE])


@lru_cache(1024)
def _square(seed: int, rows: int, items: int, slot: int) -> np.ndarray:
    return latin_square(generator(seed, Stream.PLAN, rows, items, slot))


def _styles(recipe: Recipe, who: IdentityPlan, impression: int, count: int) -> tuple[int, ...]:
    """Which of so many style images this impression is given: as many as the recipe says, none twice."""
    if not count:
        return ()
    rng = generator(recipe.seed, Stream.STYLE, who.identity, impression)
    first = int(rng.random() * count)
    others = rng.permutation([number for number in range(count) if number != first])
    return first, *(int(number) for number in others[: recipe.style.per_image - 1])
