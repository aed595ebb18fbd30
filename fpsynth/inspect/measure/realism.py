"""How far a dataset is from a reference of real images, each figure beside its yardstick.

In three spaces: the native quality measures of NFIQ2 (ISO/IEC 29794-4), histograms as shares, z-scored by the reference
and clipped; the texture that the program's own embedding sees (no judges needed); and minutiae. The yardstick is the
reference against itself: its identities split in halves at random, many times.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fpsynth.errors import UserError
from fpsynth.inspect.measure.likeness import textures
from fpsynth.inspect.measure.record import Record

HISTOGRAMS = ("FDA", "LCS", "OCL", "OF", "RVUP")
"""NFIQ2's measures that come as counts in ten bins."""
CLIP = 6.0
SPLITS = 20
FEW = 16
"""Fewer images of a reference say nothing."""
NEIGHBOURS = 5
"""k of precision, recall, density and coverage."""
PAIR_DISTANCE, PAIR_BINS = 120.0, 10
"""Minutiae pairs up to this distance (pixels at 500 ppi), and bins of distance and of angle difference."""
SUBSETS, SUBSET = 50, 100
"""Subsets of the kernel distance, and images in each at most."""

Measure = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Cloud:
    """Images as points (n, d), and the identity of each."""

    points: np.ndarray
    identities: np.ndarray

    def part(self, chosen: np.ndarray) -> "Cloud":
        """The chosen images."""
        return Cloud(self.points[chosen], self.identities[chosen])


@dataclass(frozen=True)
class Beside:
    """A distance, and the reference's own between its halves: the median and 90 % of them, to four digits."""

    value: float
    yardstick: float
    yardstick_low: float
    yardstick_high: float


Distances = Mapping[str, Beside]


@dataclass(frozen=True)
class Realism:
    """A dataset against a reference: how many images of each, and distances by space and name."""

    images: int
    reference_images: int
    distances: Mapping[str, Distances]


def realism(records: Sequence[Record], reference: Sequence[Record]) -> Realism:
    """A dataset against a reference, each distance with its yardstick. Raises UserError for too small a reference.

    NFIQ2's measures and the minutiae are compared where both sides were judged.
    """
    require_torchmetrics()
    ours, real = ([r for r in own if r.print is not None] for own in (records, reference))
    if min(len(ours), len(real)) < FEW or len({r.identity for r in real}) < 4:
        raise UserError(f"a comparison needs at least {FEW} images that show a print on each side, of 4 fingers")
    distances = {"embedding": _distances_in(EMBEDDING, _cloud(ours, textures(ours)), _cloud(real, textures(real)))}
    scored = [[r for r in own if r.judged is not None and r.judged.nfiq2 is not None] for own in (ours, real)]
    if min(map(len, scored)) >= FEW:
        distances |= _judged(*scored)
    return Realism(len(ours), len(real), distances)


def require_torchmetrics() -> None:
    """Raise UserError where nothing can be compared with a reference."""
    try:
        import torchmetrics  # noqa: F401
    except ImportError:
        raise UserError("--reference needs torchmetrics: install fpsynth with the extra 'report'") from None


def _judged(ours: Sequence[Record], real: Sequence[Record]) -> dict[str, Distances]:
    mine, theirs = quality_points(ours, real)
    return {
        "nfiq2": _distances_in(NFIQ2, _cloud(ours, mine), _cloud(real, theirs)),
        "minutiae": _distances_in(MINUTIAE, _cloud(ours, pair_histograms(ours)), _cloud(real, pair_histograms(real))),
    }


def quality_points(ours: Sequence[Record], real: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    """NFIQ2's measures (n, d) of both sides, all of them judged, z-scored by the second side and clipped."""
    names = sorted(real[0].judged.features) if real[0].judged else []
    raw = [measures(own, names) for own in (ours, real)]
    centre, scale = raw[1].mean(0), raw[1].std(0) + 1e-9
    mine, theirs = (np.clip((x - centre) / scale, -CLIP, CLIP) for x in raw)
    return mine, theirs


def _cloud(records: Sequence[Record], points: np.ndarray) -> Cloud:
    return Cloud(points, np.array([r.identity for r in records]))


def _distances_in(space: Mapping[str, Measure], mine: Cloud, theirs: Cloud) -> Distances:
    halves = _halves(theirs)
    return {
        name: _beside(measure(mine.points, theirs.points), [measure(a.points, b.points) for a, b in halves])
        for name, measure in space.items()
    }


def _halves(cloud: Cloud) -> list[tuple[Cloud, Cloud]]:
    """The reference split in two by identity, again and again."""
    rng, names = np.random.default_rng(0), np.unique(cloud.identities)
    halves = []
    for _ in range(SPLITS):
        left = np.isin(cloud.identities, rng.permutation(names)[: len(names) // 2])
        halves.append((cloud.part(left), cloud.part(~left)))
    return halves


def _beside(value: float, yardstick: Sequence[float]) -> Beside:
    low, middle, high = np.percentile(yardstick, (5, 50, 95))
    return Beside(*(float(f"{figure:.4g}") for figure in (value, middle, low, high)))


def measures(records: Sequence[Record], names: Sequence[str]) -> np.ndarray:
    """NFIQ2's measures (n, d); the bins of each histogram become shares."""
    x = np.array([[r.judged.features[name] for name in names] for r in records if r.judged is not None])
    for prefix in HISTOGRAMS:
        bins = [i for i, name in enumerate(names) if name.startswith(f"{prefix}_Bin10_") and name[-1].isdigit()]
        x[:, bins] /= np.maximum(x[:, bins].sum(1, keepdims=True), 1)
    return x


def pair_histograms(records: Sequence[Record]) -> np.ndarray:
    """Per image, shares of minutiae pairs by distance and angle difference, flattened (n, 100).

    Gottschlich & Huckemann, "Separating the real from the synthetic: minutiae histograms as fingerprints of
    fingerprints", arXiv 1304.5409.
    """
    from fpsynth.extractor.mindtct import load, points

    templates = [load(r.judged.template) for r in records if r.judged is not None]
    clouds = [points(template) if template else [] for template in templates]
    return np.stack([_pair_histogram(np.array([f[:3] for f in cloud]).reshape(-1, 3)) for cloud in clouds])


def _pair_histogram(minutiae: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(len(minutiae), 1)
    step = minutiae[i] - minutiae[j]
    distance, turn = np.hypot(step[:, 0], step[:, 1]), np.abs((step[:, 2] + 180) % 360 - 180)
    edges = np.linspace(0, PAIR_DISTANCE, PAIR_BINS + 1), np.linspace(0, 180 + 1e-6, PAIR_BINS + 1)
    counts, *_ = np.histogram2d(distance, turn, bins=edges)
    shares: np.ndarray = (counts / max(counts.sum(), 1)).ravel()
    return shares


def energy(a: np.ndarray, b: np.ndarray) -> float:
    """Energy distance 2 E|a - b| - E|a - a'| - E|b - b'|, unbiased: near 0, also below it, for equal distributions."""
    n, m = len(a), len(b)
    within = _distances(a, a).sum() / (n * (n - 1)) + _distances(b, b).sum() / (m * (m - 1))
    return float(2 * _distances(a, b).mean() - within)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    distances: np.ndarray = cdist(a, b)
    return distances


def neighbour_test(a: np.ndarray, b: np.ndarray) -> float:
    """Share of points whose nearest other point is of their own set, in equal sets: .5 where the two are alike.

    The leave-one-out nearest-neighbour form of the classifier two-sample test (Lopez-Paz & Oquab, ICLR 2017).
    """
    n, rng = min(len(a), len(b)), np.random.default_rng(0)
    both = np.concatenate([a[rng.permutation(len(a))[:n]], b[rng.permutation(len(b))[:n]]])
    gaps = _distances(both, both)
    np.fill_diagonal(gaps, np.inf)
    side = np.arange(2 * n) < n
    return float((side[gaps.argmin(1)] == side).mean())


def _radii(points: np.ndarray) -> np.ndarray:
    """The distance of each point to its k-th neighbour in its own set."""
    return np.sort(_distances(points, points), axis=1)[:, min(NEIGHBOURS, len(points) - 1)]


def precision(a: np.ndarray, b: np.ndarray) -> float:
    """Share of a inside the manifold of b (Kynkaanniemi et al., NeurIPS 2019)."""
    return float((_distances(a, b) <= _radii(b)[None]).any(1).mean())


def density(a: np.ndarray, b: np.ndarray) -> float:
    """How many neighbourhoods of b hold a point of a, over k (Naeem et al., ICML 2020)."""
    return float((_distances(a, b) <= _radii(b)[None]).sum(1).mean() / NEIGHBOURS)


def coverage(a: np.ndarray, b: np.ndarray) -> float:
    """Share of b whose neighbourhood holds a point of a (Naeem et al., ICML 2020)."""
    return float((_distances(a, b) <= _radii(b)[None]).any(0).mean())


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Frechet distance of the normal distributions nearest to both (Heusel et al., NeurIPS 2017), by torchmetrics.

    It is the larger the fewer images there are.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    return _by_torchmetrics(FrechetInceptionDistance(feature=_given(a.shape[1])), a, b)


def kernel(a: np.ndarray, b: np.ndarray) -> float:
    """Kernel distance, the cubic kernel's mean discrepancy, times 1000 (Binkowski et al., ICLR 2018), by torchmetrics.

    Unbiased: about 0 for equal distributions, however few images there are.
    """
    import torch
    from torchmetrics.image.kid import KernelInceptionDistance

    with torch.random.fork_rng([]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it keeps all features, which is little
        torch.manual_seed(0)
        few = min(len(a), len(b), SUBSET)
        metric = KernelInceptionDistance(feature=_given(a.shape[1]), subsets=SUBSETS, subset_size=few)
        return 1000 * _by_torchmetrics(metric, a, b)


def _given(width: int) -> Any:
    """An extractor for torchmetrics that is given the features themselves."""
    import torch

    extractor: Any = torch.nn.Identity()
    extractor.num_features = width
    return extractor


def _by_torchmetrics(metric: Any, a: np.ndarray, b: np.ndarray) -> float:
    import torch

    metric.update(torch.from_numpy(b).float(), real=True)
    metric.update(torch.from_numpy(a).float(), real=False)
    found = metric.compute()
    return float(found[0] if isinstance(found, tuple) else found)


def minutiae_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Earth mover's distance of the mean pair histograms; one bin of distance or angle is 1 of the ground."""
    from scipy.stats import wasserstein_distance_nd

    y, x = np.mgrid[0:PAIR_BINS, 0:PAIR_BINS]
    bins = np.stack([y.ravel(), x.ravel()], 1).astype(float)
    return float(wasserstein_distance_nd(bins, bins, a.mean(0), b.mean(0)))


MANIFOLD: dict[str, Measure] = {
    "neighbour_test": neighbour_test,
    "precision": precision,
    "recall": lambda a, b: precision(b, a),
    "density": density,
    "coverage": coverage,
}
EMBEDDING: dict[str, Measure] = {"frechet": frechet, "kernel": kernel, **MANIFOLD}
NFIQ2: dict[str, Measure] = {"energy": energy, **MANIFOLD}
MINUTIAE: dict[str, Measure] = {"pairs": minutiae_distance}
