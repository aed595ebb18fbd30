"""Rows to write, the same for the same numbers."""

from collections.abc import Iterator

import numpy as np

from fpsynth.dataset import GateRecord, Renderer, Row
from fpsynth.minutiae import Minutia, SingularPoint
from fpsynth.slots import words_of


def row(identity: int, impression: int) -> Row:
    rng = np.random.default_rng((identity, impression))
    return Row(
        image=rng.integers(0, 256, (128, 96), dtype=np.uint8),
        identity=identity,
        impression=impression,
        subject=identity,
        finger=identity % 11,
        words={
            "pattern": words_of("pattern")[identity % 6],
            "acquisition": "plain",
            "sensor": words_of("sensor")[identity % 3],
            "quality": "good",
            "skin": None,
            "surface": "card" if identity else None,
        },
        prompt="a good quality plain fingerprint",
        seed=2**62 + identity,
        minutiae=[Minutia(3.25, 4.5, 359.5, "ending", 50), Minutia(95.75, 90.0, 90.0, "bifurcation", 7)],
        singular=[SingularPoint(3, 4, "core")],
        parameters={"rotation": 12.5, "dx": -1.0},
        shared_noise=2,
        gate=GateRecord("passed", 0.875, 0.125, 2, "mindtct"),
        renderer=Renderer("diffusion", "abc", "default"),
    )


def shard(index: int, identities: int = 3, impressions: int = 2) -> Iterator[Row]:
    """The rows of a shard of a few identities."""
    for identity in range(index * identities, (index + 1) * identities):
        for impression in range(impressions):
            yield row(identity, impression)
