"""The seed tree: every draw is a function of (recipe seed, stream, identity, impression, try) and of nothing else."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a draw is for. The numbers are part of every dataset ever made: append, never renumber."""

    FINGER = 1
    CAPTURE = 2
    DEVICE = 3
    RENDER = 4
    PLAN = 5
    LATENT_IDENTITY = 6
    LATENT_IMPRESSION = 7
    NOISE_IDENTITY = 8
    NOISE_IMPRESSION = 9
    STYLE = 10
    SPLIT = 11


def sequence(seed: int, stream: Stream, identity: int, impression: int = 0, attempt: int = 0) -> np.random.SeedSequence:
    """The node of the seed tree for these coordinates."""
    return np.random.SeedSequence((seed, int(stream), identity, impression, attempt))


def generator(seed: int, stream: Stream, identity: int, impression: int = 0, attempt: int = 0) -> np.random.Generator:
    """A numpy generator that belongs to these coordinates alone."""
    return np.random.Generator(np.random.PCG64(sequence(seed, stream, identity, impression, attempt)))


def integer(seed: int, stream: Stream, identity: int, impression: int = 0, attempt: int = 0) -> int:
    """A 63-bit integer for libraries that want one (torch.Generator.manual_seed)."""
    return int(sequence(seed, stream, identity, impression, attempt).generate_state(1, np.uint64)[0] >> 1)
