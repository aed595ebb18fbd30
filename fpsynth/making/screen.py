"""Identities whose fingers are not too near to those of earlier ones, settled before the first shard is made.

Identity by identity, in their order: of its draws the first stays whose vector's cosine with the vectors of all
identities before it is below the threshold. A vector is the embedding of one canonical print of the finger, a function
of the seed, the identity and the attempt alone; so the outcome does not depend on who works it out, and more identities
leave the earlier ones as they are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fpsynth.errors import UserError
from fpsynth.finger import Master
from fpsynth.making.accepted import Accepted, read_accepted, write_accepted
from fpsynth.making.scene import batches, grow
from fpsynth.recipe import IdentityPlan, Recipe
from fpsynth.recipe.plan import plan_identity
from fpsynth.work import Mapper, Tick, processes, single_thread

if TYPE_CHECKING:
    from fpsynth.embedding.embedder import Embedder

ATTEMPTS = 20
"""Fingers that are grown of an identity before it is given up."""
WAVE = 200
"""Identities between two times that the outcome is kept."""
SMALL = 24
"""Up to so many identities no processes are started."""
CONTACT_MM = (8.0, 10.2)
"""Half width and half height of a canonical print: what a plain print shows of a usual finger."""


@dataclass(frozen=True)
class Draw:
    """One of the fingers that an identity may have."""

    seed: int
    who: IdentityPlan
    attempt: int = 0


Vector = Callable[[Draw], np.ndarray]


def canonical_print(master: Master) -> np.ndarray:
    """(rows, cols) uint8 at the master's resolution: its ridge wave, dark, in an upright ellipse about its centre."""
    rows, cols = master.ridges.shape
    y, x = np.mgrid[0:rows, 0:cols]
    across, along = ((at - middle) * 25.4 / master.ppi for at, middle in zip((x, y), master.centre, strict=True))
    contact = np.hypot(across / CONTACT_MM[0], along / CONTACT_MM[1]) < 1
    grey = 127.5 * (1 - master.ridges.cpu().numpy())
    shown: np.ndarray = np.where(contact, grey, 255).round().clip(0, 255).astype(np.uint8)
    return shown


def vector_of(draw: Draw) -> np.ndarray:
    """(size,) float32 of unit length: the embedding of the finger's canonical print, by one thread."""
    with single_thread():
        finger = grow(draw.seed, draw.who, draw.attempt)
        vector: np.ndarray = _embedder().describe([canonical_print(finger)], finger.ppi).identity[0]
        return vector


@cache
def _embedder() -> "Embedder":
    from fpsynth.embedding.embedder import load_embedder

    return load_embedder()


@dataclass(frozen=True, kw_only=True)
class Screen:
    """Who is to be screened and how. vector: can be sent to a process; cache: the file that keeps the outcome."""

    seed: int
    threshold: float
    who: Callable[[int], IdentityPlan]
    vector: Vector = vector_of
    workers: int = 1
    cache: Path | None = None


@dataclass
class _Greedy:
    """The outcome so far; vectors has room for more."""

    screen: Screen
    vectors: np.ndarray
    attempts: list[int] = field(default_factory=list)

    def take(self, who: IdentityPlan, first: np.ndarray) -> None:
        """Keep the identity's first draw that is far enough from all before. Raises UserError where none is."""
        for attempt in range(ATTEMPTS):
            vector = self.screen.vector(Draw(self.screen.seed, who, attempt)) if attempt else first
            if not len(self.attempts) or self._nearest(vector) < self.screen.threshold:
                self.vectors[len(self.attempts)] = vector
                self.attempts.append(attempt)
                return
        raise UserError(
            f"finger.unique: none of {ATTEMPTS} fingers of identity {who.identity} is below {self.screen.threshold:g} "
            "with all identities before it; raise the threshold, or ask for fewer identities"
        )

    def _nearest(self, vector: np.ndarray) -> float:
        return float((self.vectors[: len(self.attempts)] @ vector).max())

    @property
    def accepted(self) -> Accepted:
        """As it is kept."""
        count = len(self.attempts)
        return Accepted(np.array(self.attempts, np.int64), self.vectors[:count])


def screen_identities(screen: Screen, count: int, tick: Tick = lambda _: None) -> Accepted:
    """The first `count` identities, each with the attempt that stays and its vector; what is kept is not made again.

    Raises UserError where an identity finds no finger.
    """
    known = read_accepted(screen.cache).first(count)
    tick(len(known.attempts))
    waiting = range(len(known.attempts), count)
    if not waiting:
        return known
    with processes(min(screen.workers, len(waiting)) if len(waiting) > SMALL else 1) as mapper:
        for accepted in _waves(screen, known, waiting, mapper, tick):
            write_accepted(screen.cache, accepted)
    return accepted


def _waves(screen: Screen, known: Accepted, waiting: Sequence[int], mapper: Mapper, tick: Tick) -> Iterator[Accepted]:
    """The outcome after every wave of identities; their first draws are grown side by side."""
    greedy: _Greedy | None = None
    for wave in batches(waiting, WAVE):
        people = [screen.who(number) for number in wave]
        for who, vector in zip(people, mapper(screen.vector, [Draw(screen.seed, w) for w in people]), strict=True):
            greedy = greedy or _room(screen, known, len(waiting), vector.size)
            greedy.take(who, vector)
            tick(1)
        assert greedy is not None
        yield greedy.accepted


def _room(screen: Screen, known: Accepted, more: int, size: int) -> _Greedy:
    vectors = np.empty((len(known.attempts) + more, size), np.float32)
    if len(known.attempts):
        vectors[: len(known.attempts)] = known.vectors
    return _Greedy(screen, vectors, known.attempts.tolist())


def screen_of(recipe: Recipe, workers: int, cache: Path | None) -> Screen:
    """How a recipe that asks for it is screened."""
    assert recipe.finger.unique is not None
    return Screen(
        seed=recipe.seed,
        threshold=recipe.finger.unique,
        who=lambda number: plan_identity(recipe, number),
        workers=workers,
        cache=cache,
    )
