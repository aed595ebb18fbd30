"""Comparing the prints of a dataset, by bozorth3 and by the embedding, and what the scores come to.

bozorth3 runs in parallel, and its scores are kept by the digest of what was compared.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fpsynth.files import write_bytes
from fpsynth.inspect.measure.fault import Fault
from fpsynth.inspect.measure.figures import Quartiles, quartiles
from fpsynth.inspect.measure.likeness import closest_strangers, cosines, identities
from fpsynth.inspect.measure.matching import Scores, bootstrap, draw_pairs, rates, tuples
from fpsynth.inspect.measure.record import Record
from fpsynth.inspect.measure.scan import Progress
from fpsynth.inspect.measure.suspects import BOZORTH3, COSINE, Suspicion, label_faults, lone_identities
from fpsynth.work import processes

BATCH = 100
"""Comparisons that go to a process together."""
CLOSEST = 200
"""Pairs of different identities that the embedding finds most alike, and that the matcher then compares."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Batch:
    """Templates (nbis's bytes) and index pairs to compare."""

    templates: Mapping[int, bytes]
    pairs: tuple[Pair, ...]


def compare_batch(batch: Batch) -> list[int]:
    """bozorth3 scores of the pairs; 0 where an image shows no minutiae."""
    from fpsynth.extractor.mindtct import load

    loaded = {i: load(template) for i, template in batch.templates.items()}
    couples = [(loaded[a], loaded[b]) for a, b in batch.pairs]
    return [one.compare(other) if one and other else 0 for one, other in couples]


@dataclass(frozen=True)
class Comparer:
    """Where and how comparisons run."""

    workers: int = 1
    progress: Progress | None = None
    cache: Path | None = None

    def scores(self, templates: Sequence[bytes], pairs: Sequence[Pair]) -> list[int]:
        """bozorth3 scores of pairs of templates (nbis's bytes), in their order."""
        path = self._path(templates, pairs)
        known = _read(path, len(pairs))
        if known is not None:
            return known
        scores = self._compare(templates, pairs)
        _write(path, scores)
        return scores

    def _compare(self, templates: Sequence[bytes], pairs: Sequence[Pair]) -> list[int]:
        parts = [pairs[start : start + BATCH] for start in range(0, len(pairs), BATCH)]
        batches = [Batch({i: templates[i] for pair in part for i in pair}, tuple(part)) for part in parts]
        scores: list[int] = []
        with processes(min(self.workers, len(batches))) as mapper:
            for found in mapper(compare_batch, batches):
                scores.extend(found)
                if self.progress is not None:
                    self.progress("comparisons", len(scores), len(pairs))
        return scores

    def _path(self, templates: Sequence[bytes], pairs: Sequence[Pair]) -> Path | None:
        if self.cache is None or len(pairs) < BATCH:
            return None
        total = hashlib.sha256(json.dumps(list(pairs)).encode())
        for template in templates:
            total.update(hashlib.sha256(template).digest())
        return self.cache / f"{total.hexdigest()}.scores.z"


def _read(path: Path | None, count: int) -> list[int] | None:
    try:
        scores = json.loads(zlib.decompress(path.read_bytes())) if path is not None and path.exists() else None
    except (OSError, ValueError, zlib.error):
        return None
    return scores if isinstance(scores, list) and len(scores) == count else None


def _write(path: Path | None, scores: list[int]) -> None:
    """Keep scores; a cache that cannot be written is no reason to stop."""
    if path is None:
        return
    try:
        write_bytes(path, zlib.compress(json.dumps(scores).encode()))
    except OSError:
        return


@dataclass(frozen=True)
class Interval:
    """A rate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class MatedScores:
    """Pairs that were compared, of how many possible ones, and their scores."""

    pairs: int
    possible: int
    scores: Quartiles | None


@dataclass(frozen=True)
class NonMatedScores:
    """The same of non-mated pairs; p99 is the 99th percentile."""

    pairs: int
    possible: int
    mean: float
    p99: float
    most: float


@dataclass(frozen=True)
class ScoreFigures:
    """Error rates (tar: true acceptance by false acceptance rate), and the two distributions."""

    eer: Interval
    tar: Mapping[float, Interval]
    mated: MatedScores
    non_mated: NonMatedScores


@dataclass(frozen=True)
class MatchFigures:
    """What a matcher's scores come to; lone: identities of which no two images match."""

    matcher: str
    scores: ScoreFigures
    lone: int


@dataclass(frozen=True)
class Matching:
    """Scores of a dataset, their figures, and what they say of its labels."""

    scores: Scores
    figures: MatchFigures
    faults: list[Fault]
    notices: list[str]


def match(records: Sequence[Record], comparer: Comparer) -> Matching | None:
    """Compare the judged images of a dataset, mated and non-mated. None where there is nothing to compare."""
    judged = [r for r in records if r.judged is not None]
    templates = [r.judged.template for r in judged if r.judged is not None]
    pairs, owner = draw_pairs([r.identity for r in judged])
    if not len(pairs.mated) or not len(pairs.non_mated):
        return None
    every = comparer.scores(templates, tuples(np.concatenate([pairs.mated, pairs.non_mated])))
    cut = len(pairs.mated)
    scores = Scores(pairs, np.array(every[:cut], float), np.array(every[cut:], float), owner)
    closest = closest_strangers(identities(judged), owner, CLOSEST)
    closer = Comparer(1, None, comparer.cache)
    return _matching(Suspicion(judged, scores, closest, lambda more: closer.scores(templates, more), BOZORTH3))


def match_prints(records: Sequence[Record]) -> Matching | None:
    """The same by the embedding, of all images that have one."""
    described = [r for r in records if r.print is not None]
    pairs, owner = draw_pairs([r.identity for r in described])
    if not len(pairs.mated) or not len(pairs.non_mated):
        return None
    vectors = identities(described)
    scores = Scores(pairs, cosines(vectors, pairs.mated), cosines(vectors, pairs.non_mated), owner)

    def compare(more: Sequence[Pair]) -> list[float]:
        return [float(score) for score in cosines(vectors, np.array(more, np.int64).reshape(-1, 2))]

    return _matching(Suspicion(described, scores, closest_strangers(vectors, owner, CLOSEST), compare, COSINE))


def _matching(known: Suspicion) -> Matching:
    lone = lone_identities(known.records, known.scores, known.scale)
    notices = [f"no two images match of {len(lone)} identities: {', '.join(lone[:5])}"] if lone else []
    figures = MatchFigures(known.scale.name, score_figures(known.scores), len(lone))
    return Matching(known.scores, figures, label_faults(known), notices)


def score_figures(scores: Scores) -> ScoreFigures:
    """Error rates with 95 % intervals, and the two distributions."""
    found, (low, high) = rates(scores.mated, scores.non_mated), bootstrap(scores)
    eer, *accepted = (
        Interval(*(round(float(rate), 4) for rate in bounds))
        for bounds in zip((found.eer, *found.tar.values()), low, high, strict=True)
    )
    pairs, other = scores.pairs, scores.non_mated
    return ScoreFigures(
        eer,
        dict(zip(found.tar, accepted, strict=True)),
        MatedScores(len(pairs.mated), pairs.possible_mated, quartiles(scores.mated)),
        NonMatedScores(
            len(pairs.non_mated),
            pairs.possible_non_mated,
            mean=round(float(other.mean()), 2),
            p99=round(float(np.percentile(other, 99)), 3),
            most=round(float(other.max()), 3),
        ),
    )
