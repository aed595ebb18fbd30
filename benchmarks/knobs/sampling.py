"""Control scale, steps, shared noise and variation: what the sampler and the capture are told in numbers."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import cv2
import numpy as np

from knobs.sets import Bench, Knob, Seen, distance_to_twin, percent

FINE = 4.0
"""Pixels: standard deviation of the Gaussian between the coarse and the fine band, about half a ridge period."""


def control_scale(bench: Bench) -> Iterator[Knob]:
    """How strongly the ridges hold."""
    scales = (0.25, 0.5, 1.0, 1.5)
    made = {f"{s:g}": bench.make(f"control-{s}", bench.count(40), sampling={"control_scale": s}) for s in scales}
    yield Knob(
        "control_scale",
        f"control_scale ({len(made['1'].images)} images each)",
        ("control_scale", "recall", "spurious", "NFIQ2"),
        [(s, *_truth(one)) for s, one in made.items()],
        setting="control_scale",
        axis="share of the minutiae",
        at=list(made),
        pictures=[(s, one.images[0]) for s, one in made.items()],
        curves={
            "recall": [m.tally.recall for m in made.values()],
            "spurious": [m.tally.spurious for m in made.values()],
        },
    )


def _truth(seen: Seen) -> tuple[str, ...]:
    return f"{seen.tally.recall:.3f}", f"{seen.tally.spurious:.3f}", seen.told_nfiq2


def steps(bench: Bench) -> Iterator[Knob]:
    """Of the model itself and of its student."""
    twin = bench.twin("steps", bench.count(40))
    settings = [("none", n) for n in (4, 8, 16)] + (
        [(bench.student, n) for n in (1, 2, 4)] if bench.student != "none" else []
    )
    made = {
        f"{'model' if student == 'none' else 'student'} {n}": bench.make(
            f"steps-{student}-{n}", bench.count(40), sampling={"student": student, "steps": n, "shared_noise_steps": 0}
        )
        for student, n in settings
    }
    yield Knob(
        "steps",
        f"Steps ({len(twin.images)} images each; virtual renders of the same rows: NFIQ2 {twin.told_nfiq2})",
        ("steps", "recall", "spurious", "NFIQ2", "distance to renders"),
        [(name, *_truth(one), f"{distance_to_twin(one, twin):.2f}") for name, one in made.items()],
        setting="network and its sampling steps",
        axis="energy distance to renders of the same rows (deviations)",
        at=list(made),
        pictures=[(name, one.images[0]) for name, one in made.items()],
        curves={"distance": [distance_to_twin(one, twin) for one in made.values()]},
    )


def shared_noise(bench: Bench) -> Iterator[Knob]:
    """Captures of one finger that lie on each other: what the noise alone changes, in two bands."""
    made = {
        str(k): bench.make(
            f"noise-{k}", bench.count(8), 4, capture={"variation": 0.0}, sampling={"steps": 4, "shared_noise_steps": k}
        )
        for k in range(5)
    }
    found = {k: differences(one.images, [r.identity for r in one.records]) for k, one in made.items()}
    names = ("coarse, within a finger", "fine, within a finger", "coarse, between fingers", "fine, between fingers")
    yield Knob(
        "shared_noise",
        f"shared_noise_steps at 4 steps, captures that lie on each other ({len(made['0'].images)} images each)",
        ("K", *names),
        [(k, *(f"{value:.2f}" for value in own)) for k, own in found.items()],
        setting="shared_noise_steps K, of 4 steps",
        axis="mean difference of two images (grey levels)",
        at=list(made),
        pictures=[(f"K = {k}, two captures", np.vstack(one.images[:2])) for k, one in made.items()],
        curves={name: [own[place] for own in found.values()] for place, name in enumerate(names[:2])},
    )


def differences(images: Sequence[np.ndarray], identities: Sequence[str]) -> tuple[float, float, float, float]:
    """Mean absolute differences: coarse and fine within identities, coarse and fine between their first images."""
    bands = [split(image) for image in images]
    first = {name: k for k, name in reversed(list(enumerate(identities)))}
    within = [(a, b) for a, b in combinations(range(len(images)), 2) if identities[a] == identities[b]]
    between = list(combinations(first.values(), 2))
    means = [
        float(np.mean([np.abs(bands[a][band] - bands[b][band]).mean() for a, b in pairs])) if pairs else float("nan")
        for pairs in (within, between)
        for band in (0, 1)
    ]
    return means[0], means[1], means[2], means[3]


def split(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is slower than the ridges, and the rest."""
    whole = image.astype(np.float64)
    coarse = cv2.GaussianBlur(whole, None, FINE)
    return coarse, whole - coarse


def variation(bench: Bench) -> Iterator[Knob]:
    """How far the captures of a finger lie from each other, in a matcher's scores."""
    values = (0.25, 0.5, 1.0, 1.5, 2.0)
    made = {f"{v:g}": bench.make(f"variation-{v}", bench.count(24), 4, capture={"variation": v}) for v in values}
    twins = {f"{v:g}": bench.twin(f"variation-{v}", bench.count(24), 4, capture={"variation": v}) for v in values}
    model, virtual = (_matched(own) for own in (made, twins))
    yield Knob(
        "variation",
        f"capture.variation ({len(made['1'].images)} images each)",
        ("variation", "EER", "mated median", "EER of the renders", "their mated median"),
        [(v, percent(model[v][0]), f"{model[v][1]:.0f}", percent(virtual[v][0]), f"{virtual[v][1]:.0f}") for v in made],
        setting="capture.variation (1: usual)",
        axis="median of the mated bozorth3 scores",
        at=list(made),
        pictures=[(f"{v}, two captures", np.vstack(one.images[:2])) for v, one in made.items()],
        curves={"model": [model[v][1] for v in made], "virtual renders": [virtual[v][1] for v in made]},
    )


def _matched(made: Mapping[str, Seen]) -> dict[str, tuple[float, float]]:
    """EER and mated median."""
    scores = {v: one.scores() for v, one in made.items()}
    return {
        v: (s.eer.value, float(s.mated.scores.median)) if s and s.mated.scores else (float("nan"), float("nan"))
        for v, s in scores.items()
    }
