"""Uniqueness, consistency and diversity of identities (Kim et al., "DCFace: synthetic face generation with dual
condition diffusion model", CVPR 2023), by the embedding and by a matcher's scores.

Uniqueness: the share of identities that a cover by balls of the threshold's radius keeps, identity by identity in their
order. Consistency: the share of images that match their own identity. Diversity: how much of the look of the whole set
one finger's own images span (see `diversity`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fpsynth.inspect.measure.likeness import cosines, identities, textures
from fpsynth.inspect.measure.matching import Scores, draw_pairs
from fpsynth.inspect.measure.record import Record
from fpsynth.inspect.measure.suspects import BOZORTH3, COSINE

NEIGHBOURS = 3
"""The ball about an image reaches to so many-th of its finger's other images: diversity needs one image more."""
NEAR = 0.9
"""Cosine of two identities' representatives from which they are one: single prints are further apart (COSINE), and of
canonical prints of virtual fingers about one pair in a million is as alike (fpsynth.embedding.rates)."""
FINGERS, OTHERS = 200, 2000
"""At most so many fingers, and of other fingers' images at most so many for each, tell of diversity."""


@dataclass(frozen=True, kw_only=True)
class Uniqueness:
    """The share kept of the identities that it stands on, and how many there are.

    false_match: of the dataset's non-mated pairs of images that were compared, the share at or above the threshold.
    """

    value: float
    threshold: float
    false_match: float
    identities: int
    of: int


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """The share of so many images that match their own identity; false_match as in Uniqueness."""

    value: float
    threshold: float
    false_match: float
    images: int


@dataclass(frozen=True)
class Diversity:
    """In [0, 1], the mean over so many fingers."""

    value: float
    fingers: int
    neighbours: int = NEIGHBOURS


@dataclass(frozen=True, kw_only=True)
class MatcherIdentities:
    """What a matcher says; non_mated: the pairs of images that false match rates are shares of."""

    non_mated: int
    uniqueness: Uniqueness | None
    consistency: Consistency | None


@dataclass(frozen=True)
class IdentityFigures:
    """By matcher; None: there is too little to tell it of."""

    matchers: Mapping[str, MatcherIdentities]
    diversity: Diversity | None


def identity_figures(records: Sequence[Record], bozorth3: Scores | None) -> IdentityFigures | None:
    """All three, of the images that have an embedding. None where that is not two identities."""
    described = [r for r in records if r.print is not None]
    if len({r.identity for r in described}) < 2:
        return None
    pairs, owner = draw_pairs([r.identity for r in described])
    vectors = identities(described)
    matchers = {COSINE.name: by_vectors(vectors, owner, cosines(vectors, pairs.non_mated))}
    if bozorth3 is not None:
        matchers[BOZORTH3.name] = by_scores(bozorth3)
    return IdentityFigures(matchers, diversity(textures(described), owner))


def by_vectors(vectors: np.ndarray, owner: np.ndarray, non_mated: np.ndarray) -> MatcherIdentities:
    """By unit vectors (n, d) of images; owner (n,): each image's identity, 0, 1, ... in their order.

    An identity's representative is the mean of its vectors; an image is compared with that of the others.
    """
    sums = np.zeros((int(owner.max()) + 1, vectors.shape[1]))
    np.add.at(sums, owner, vectors)
    kept = cover(_unit(sums), NEAR)
    shared = np.bincount(owner)[owner] > 1
    others = _unit(sums[owner[shared]] - vectors[shared])
    own = (others * vectors[shared]).sum(1)
    return MatcherIdentities(
        non_mated=len(non_mated),
        uniqueness=_uniqueness(kept, len(sums), len(sums), NEAR, non_mated),
        consistency=_consistency(own, COSINE.match, non_mated),
    )


def by_scores(scores: Scores, threshold: float = BOZORTH3.match) -> MatcherIdentities:
    """By the scores that there are. Uniqueness stands on identities each two of which have been compared, in images of
    theirs, and is told where these are at least half; two are alike where a pair of their images scores the threshold.

    Consistency: the best mated score of every image that was compared with one of its own.
    """
    partners, alike = _compared(scores, threshold)
    stands = _all_compared(partners)
    kept = _kept(stands, alike)
    best: dict[int, float] = {}
    for pair, score in zip(scores.pairs.mated.tolist(), scores.mated.tolist(), strict=True):
        for image in pair:
            best[image] = max(best.get(image, -np.inf), score)
    told = 2 * len(stands) >= len(partners)
    other = scores.non_mated
    return MatcherIdentities(
        non_mated=len(other),
        uniqueness=_uniqueness(kept, len(stands), len(partners), threshold, other) if told else None,
        consistency=_consistency(np.array(list(best.values())), threshold, other),
    )


def _uniqueness(kept: Sequence[int], stands: int, of: int, threshold: float, non_mated: np.ndarray) -> Uniqueness:
    return Uniqueness(
        value=_rounded(len(kept) / stands),
        threshold=float(threshold),
        false_match=_false(non_mated, threshold),
        identities=stands,
        of=of,
    )


def _consistency(own: np.ndarray, threshold: float, non_mated: np.ndarray) -> Consistency | None:
    """own (n,): how well each image matches its identity."""
    if not len(own):
        return None
    value, false = _rounded(float((own >= threshold).mean())), _false(non_mated, threshold)
    return Consistency(value=value, threshold=float(threshold), false_match=false, images=len(own))


def cover(vectors: np.ndarray, threshold: float) -> list[int]:
    """The unit vectors (n, d), by number, whose cosine with all that were kept before is below the threshold."""
    kept: list[int] = []
    held = np.empty_like(vectors)
    for number, vector in enumerate(vectors):
        if not kept or float((held[: len(kept)] @ vector).max()) < threshold:
            held[len(kept)] = vector
            kept.append(number)
    return kept


def _compared(scores: Scores, threshold: float) -> tuple[list[set[int]], list[set[int]]]:
    """For each identity those that it was compared with, and those of them that it is like."""
    partners: list[set[int]] = [set() for _ in range(int(scores.owner.max()) + 1)]
    alike: list[set[int]] = [set() for _ in partners]
    for (a, b), score in zip(scores.owner[scores.pairs.non_mated].tolist(), scores.non_mated.tolist(), strict=True):
        for one, other in ((a, b), (b, a)):
            partners[one].add(other)
            if score >= threshold:
                alike[one].add(other)
    return partners, alike


def _all_compared(partners: Sequence[set[int]]) -> list[int]:
    """Identities in their order, each compared with all that were taken before it."""
    taken: list[int] = []
    for number, own in enumerate(partners):
        if own.issuperset(taken):
            taken.append(number)
    return taken


def _kept(numbers: Iterable[int], alike: Sequence[set[int]]) -> list[int]:
    kept: list[int] = []
    for number in numbers:
        if alike[number].isdisjoint(kept):
            kept.append(number)
    return kept


def diversity(points: np.ndarray, owner: np.ndarray) -> Diversity | None:
    """Of textures (n, d): the share of the other fingers' images that lie inside a ball about an image of a finger,
    which reaches to that image's NEIGHBOURS-th neighbour among the finger's own; the mean over fingers.

    It is the recall of Kynkaanniemi et al. (NeurIPS 2019) of the set's looks by one finger's. A finger whose images are
    copies has balls of no size, and 0. None where no finger has more than NEIGHBOURS images.
    """
    from scipy.spatial.distance import cdist

    able = np.flatnonzero(np.bincount(owner) > NEIGHBOURS)
    shares = []
    for finger in able[_evenly(len(able), FINGERS)]:
        own, other = points[owner == finger], points[owner != finger]
        other = other[_evenly(len(other), OTHERS)]
        radii = np.sort(cdist(own, own), axis=1)[:, NEIGHBOURS]
        shares.append(float((cdist(other, own) < radii).any(1).mean()))
    return Diversity(_rounded(float(np.mean(shares))), len(shares)) if shares else None


def _evenly(count: int, most: int) -> np.ndarray:
    """At most so many of a count of things, spread over them."""
    few = min(count, most)
    return np.arange(few) * count // max(few, 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit


def _false(non_mated: np.ndarray, threshold: float) -> float:
    return float(f"{(non_mated >= threshold).mean():.3g}")


def _rounded(value: float) -> float:
    return round(value, 4)
