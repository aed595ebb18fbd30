"""What scores say of labels: fingers that two identities share, swapped labels, fingers that match nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fpsynth.inspect.measure.fault import Fault
from fpsynth.inspect.measure.matching import Scores, tuples
from fpsynth.inspect.measure.record import Record

FOLLOWED = 40
"""At most so many pairs of identities, and so many images, are looked at closely."""
AMONG = 400
"""An image that fits none of its own is compared with so many other identities at most, the first ones."""

Pair = tuple[int, int]
Compare = Callable[[Sequence[Pair]], Sequence[float]]


@dataclass(frozen=True)
class Scale:
    """A matcher's scores: one above `match` usually means the same finger; an image whose mated scores are all below
    `none` fits none of its own."""

    name: str
    match: float
    none: float


BOZORTH3 = Scale("bozorth3", 40, 20)
"""Above 40: the NBIS user's guide."""
COSINE = Scale("cosine", 0.82, 0.4)
"""Of the bundled embedding: of 3,675 pairs of virtual fingers none had a median above 0.77."""


@dataclass(frozen=True)
class Suspicion:
    """What is known of the images of a dataset: records and scores of the same images, more pairs that may match,
    and what compares any pairs of images."""

    records: Sequence[Record]
    scores: Scores
    closest: np.ndarray
    compare: Compare
    scale: Scale


def label_faults(known: Suspicion) -> list[Fault]:
    """Explain the labels of the pairs of identities that match best, also by an image that fits none of its own."""
    members = _members(known.scores.owner)
    best = _best([*_matching_identities(known), *_partners_of_strangers(known, members)])
    faults, explained = [], set()
    for a, b in sorted(sorted(best, key=lambda pair: (-best[pair], pair))[:FOLLOWED]):
        for fault in _explain(known, members[a], members[b]):
            if (fault.kind, fault.where) not in explained:
                explained.add((fault.kind, fault.where))
                faults.append(fault)
    return faults


def lone_identities(records: Sequence[Record], scores: Scores, scale: Scale) -> list[str]:
    """Identities of which no two images match."""
    best: dict[int, float] = {}
    for (a, _), score in zip(scores.pairs.mated, scores.mated, strict=True):
        owner = int(scores.owner[a])
        best[owner] = max(best.get(owner, -np.inf), float(score))
    names = {int(owner): record.identity for owner, record in zip(scores.owner, records, strict=True)}
    return sorted(names[owner] for owner, score in best.items() if score < scale.none)


def _members(owner: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(owner == n) for n in range(int(owner.max()) + 1)]


def _best(matches: Iterable[tuple[Pair, float]]) -> dict[Pair, float]:
    """The best score of each two identities."""
    best: dict[Pair, float] = {}
    for (a, b), score in matches:
        pair = min(a, b), max(a, b)
        best[pair] = max(best.get(pair, -np.inf), score)
    return best


def _matching_identities(known: Suspicion) -> Iterator[tuple[Pair, float]]:
    """Of the pairs that were drawn, and of those that are closest by another measure."""
    yield from _matches(known, tuples(known.scores.pairs.non_mated), known.scores.non_mated.tolist())
    closest = tuples(known.closest)
    yield from _matches(known, closest, known.compare(closest))


def _matches(known: Suspicion, pairs: Sequence[Pair], scores: Sequence[float]) -> Iterator[tuple[Pair, float]]:
    """The owners of those pairs that match, and their scores."""
    owner = known.scores.owner
    for (a, b), score in zip(pairs, scores, strict=True):
        if score > known.scale.match:
            yield (int(owner[a]), int(owner[b])), score


def _partners_of_strangers(known: Suspicion, members: list[np.ndarray]) -> Iterator[tuple[Pair, float]]:
    """Identities that an image matches which fits none of its own: the worst of these are compared with one image of
    each."""
    best: dict[int, float] = {}
    for (a, b), score in zip(known.scores.pairs.mated, known.scores.mated, strict=True):
        for image in (int(a), int(b)):
            best[image] = max(best.get(image, -np.inf), float(score))
    strangers = sorted((image for image, score in best.items() if score < known.scale.none), key=lambda i: best[i])
    others, owner = [int(own[-1]) for own in members[:AMONG]], known.scores.owner
    pairs = [(i, j) for i in strangers[:FOLLOWED] for j in others if owner[i] != owner[j]]
    return _matches(known, pairs, known.compare(pairs))


def _explain(known: Suspicion, one: np.ndarray, other: np.ndarray) -> list[Fault]:
    """All images of two identities against each other: does a label stand wrong, or are they one finger?"""
    records, scale = known.records, known.scale
    images = [*one.tolist(), *other.tolist()]
    pairs = list(combinations(images, 2))
    scores = dict(zip(pairs, known.compare(pairs), strict=True))
    scores |= {(b, a): score for (a, b), score in scores.items()}
    across = [scores[a, b] for a in one.tolist() for b in other.tolist()]
    names = records[one[0]].identity, records[other[0]].identity
    if np.median(across) > scale.match:
        low, high = sorted(names, key=lambda name: (len(name), name))
        text = f"identities {low} and {high} are one finger (median {scale.name} {np.median(across):.3g})"
        return [Fault("shared finger", f"{low}, {high}", text)]
    faults = []
    for own, foreign, name in ((one, other, names[1]), (other, one, names[0])):
        for image in own.tolist():
            if _belongs(image, own, foreign, scores, scale):
                record = records[image]
                text = f"labelled {record.identity}, but matches identity {name} and not its own"
                faults.append(Fault("wrong label", record.name, text))
    return faults


def _belongs(
    image: int, own: np.ndarray, foreign: np.ndarray, scores: dict[tuple[int, int], float], scale: Scale
) -> bool:
    """Whether an image matches an image of the other identity, and none of its own by half as much."""
    inside = [scores[image, j] for j in own.tolist() if j != image]
    best = max(scores[image, j] for j in foreign.tolist())
    return bool(inside) and max(inside) <= scale.none * 1.5 and best > scale.match and best > 2 * max(inside)
