"""What scores say of labels: fingers that two identities share, swapped labels, fingers that match nothing."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from fpsynth.inspect.item import Fault
from fpsynth.inspect.matching import Scores
from fpsynth.inspect.record import Record

MATCH = 40
"""bozorth3: scores above 40 usually mean the same finger (NBIS user's guide)."""
NO_MATCH = 20
"""An image whose mated scores are all below this fits none of its own."""
FOLLOWED = 40
"""At most so many pairs of identities, and so many images, are looked at closely."""

Compare = Callable[[Sequence[tuple[int, int]]], list[int]]


def label_faults(records: Sequence[Record], scores: Scores, compare: Compare) -> list[Fault]:
    """Follow every non-mated match, and every image that fits none of its own, until the labels are explained.

    records and scores are of the judged images; compare scores any pairs of them.
    """
    members = _members(scores.owner)
    found = _matching_identities(scores) | _partners_of_strangers(scores, members, compare)
    pairs = {(min(pair), max(pair)) for pair in found}
    faults, explained = [], set()
    for a, b in sorted(pairs)[:FOLLOWED]:
        for fault in _explain(records, members[a], members[b], compare):
            if (fault.kind, fault.where) not in explained:
                explained.add((fault.kind, fault.where))
                faults.append(fault)
    return faults


def lone_identities(records: Sequence[Record], scores: Scores) -> list[str]:
    """Identities of which no two images match (all their mated scores are below 20)."""
    best: dict[int, int] = {}
    for (a, _), score in zip(scores.pairs.mated, scores.mated, strict=True):
        owner = int(scores.owner[a])
        best[owner] = max(best.get(owner, 0), int(score))
    names = {int(owner): record.identity for owner, record in zip(scores.owner, records, strict=True)}
    return sorted(names[owner] for owner, score in best.items() if score < NO_MATCH)


def _members(owner: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(owner == n) for n in range(int(owner.max()) + 1)]


def _matching_identities(scores: Scores) -> set[tuple[int, int]]:
    hits = scores.pairs.non_mated[scores.non_mated > MATCH]
    return {(int(scores.owner[a]), int(scores.owner[b])) for a, b in hits}


def _partners_of_strangers(scores: Scores, members: list[np.ndarray], compare: Compare) -> set[tuple[int, int]]:
    """Identities that an image matches which fits none of its own: it is compared with one image of each."""
    best: dict[int, int] = {}
    for (a, b), score in zip(scores.pairs.mated, scores.mated, strict=True):
        for image in (int(a), int(b)):
            best[image] = max(best.get(image, 0), int(score))
    strangers = [image for image, score in best.items() if score < NO_MATCH][:FOLLOWED]
    others = [own[-1] for own in members[: 10 * FOLLOWED]]
    pairs = [(i, int(j)) for i in strangers for j in others if scores.owner[i] != scores.owner[j]]
    found = compare(pairs)
    owner = scores.owner
    return {(int(owner[i]), int(owner[j])) for (i, j), score in zip(pairs, found, strict=True) if score > MATCH}


def _explain(records: Sequence[Record], one: np.ndarray, other: np.ndarray, compare: Compare) -> list[Fault]:
    """All images of two identities against each other: does a label stand wrong, or are they one finger?"""
    images = [*one.tolist(), *other.tolist()]
    pairs = list(combinations(images, 2))
    scores = dict(zip(pairs, compare(pairs), strict=True))
    scores |= {(b, a): score for (a, b), score in scores.items()}
    across = [scores[a, b] for a in one.tolist() for b in other.tolist()]
    names = records[one[0]].identity, records[other[0]].identity
    if np.median(across) > MATCH:
        low, high = sorted(names, key=lambda name: (len(name), name))
        text = f"identities {low} and {high} are one finger (median bozorth3 {np.median(across):.0f})"
        return [Fault("shared finger", f"{low}, {high}", text)]
    faults = []
    for own, foreign, name in ((one, other, names[1]), (other, one, names[0])):
        for image in own.tolist():
            if _belongs(image, own, foreign, scores):
                record = records[image]
                text = f"labelled {record.identity}, but matches identity {name} and not its own"
                faults.append(Fault("wrong label", record.name, text))
    return faults


def _belongs(image: int, own: np.ndarray, foreign: np.ndarray, scores: dict[tuple[int, int], int]) -> bool:
    """Whether an image matches the better half of the other identity's images, and none of its own."""
    inside = [scores[image, j] for j in own.tolist() if j != image]
    across = sorted((scores[image, j] for j in foreign.tolist()), reverse=True)
    return bool(inside) and max(inside) <= NO_MATCH * 1.5 and across[0] > MATCH and across[0] > 2 * max(inside)
