"""What is rendered for training: shares of the words of every slot, and the draws from them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from fpsynth.rng import Stream, generator
from fpsynth.sensor import Device, draw_device
from fpsynth.slots import SLOTS, Words, words_of

Shares = dict[str, float]


def _shares_of(slot: str) -> Callable[[Shares], Shares]:
    """A validator: known words, no negative share, sum 1 within rounding."""

    def check(shares: Shares) -> Shares:
        unknown = [word for word in shares if word not in words_of(slot)]
        if unknown:
            raise ValueError(f"unknown word {unknown[0]!r}; known: {', '.join(words_of(slot))}")
        if min(shares.values(), default=0) < 0 or abs(sum(shares.values()) - 1) > 1e-3:
            raise ValueError(f"shares must not be negative and must sum to 1, not to {sum(shares.values()):g}")
        return shares

    return check


class Mixture(BaseModel):
    """Shares of what is rendered for training; flatter than nature's, so that rare words are learnt too.

    A field has the name of its slot. Surface and technique have none: they are the device's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    free: ClassVar = frozenset({"workers"})
    """What does not decide the pictures."""
    seed: NonNegativeInt = 990_001
    workers: PositiveInt = Field(default_factory=lambda: os.cpu_count() or 1)
    sensor: Annotated[Shares, AfterValidator(_shares_of("sensor"))] = {
        "optical": 0.28, "capacitive": 0.2, "thermal": 0.15, "ink": 0.17, "latent": 0.1, "contactless": 0.1,
    }  # fmt: skip
    acquisition: Annotated[Shares, AfterValidator(_shares_of("acquisition"))] = {
        "plain": 0.6, "rolled": 0.18, "partial": 0.14, "slap": 0.08,
    }  # fmt: skip
    quality: Annotated[Shares, AfterValidator(_shares_of("quality"))] = {
        "excellent": 0.15, "good": 0.35, "fair": 0.25, "poor": 0.15, "very poor": 0.1,
    }  # fmt: skip
    skin: Annotated[Shares, AfterValidator(_shares_of("skin"))] = {"normal": 0.6, "dry": 0.2, "wet": 0.2}
    pressure: Annotated[Shares, AfterValidator(_shares_of("pressure"))] = {"light": 0.25, "normal": 0.5, "firm": 0.25}
    material: Annotated[Shares, AfterValidator(_shares_of("material"))] = {
        "live": 0.88, "gelatine": 0.02, "silicone": 0.02, "latex": 0.02, "wood glue": 0.02, "play-doh": 0.02,
        "2-D print": 0.02,
    }  # fmt: skip
    pattern: Annotated[Shares, AfterValidator(_shares_of("pattern"))] = {
        "arch": 0.1, "tented_arch": 0.08, "left_loop": 0.28, "right_loop": 0.28, "whorl": 0.18, "double_loop": 0.08,
    }  # fmt: skip

    @property
    def shares(self) -> dict[str, Shares]:
        """Slot -> shares of its words, of every slot that this mixture has a field for."""
        return {slot: getattr(self, slot) for slot in SLOTS if slot in type(self).model_fields}

    @property
    def sensors(self) -> list[str]:
        """The kinds of sensors that can come up."""
        return [word for word, share in self.sensor.items() if share > 0]

    def content(self) -> dict[str, Any]:
        """What decides the bytes of a chunk (not: how many chunks, nor who renders them).

        Shares are pairs in the order in which words are drawn, without those that are never drawn.
        """
        shares = {slot: [[word, s] for word, s in own.items() if s > 0] for slot, own in self.shares.items()}
        return {"seed": self.seed, **shares}


@dataclass(frozen=True)
class Labels:
    """What is known of one image: the word of every slot, or None. device is the seed of the device that made it."""

    identity: int
    device: int
    words: Words


def read_labels(row: Mapping[str, Any]) -> Labels:
    """The labels of a row of a store. Raises ValueError for a word that is not known; slots without one are open."""
    words = {slot: row["words"].get(slot) for slot in SLOTS}
    for slot, word in words.items():
        if word is not None and word not in SLOTS[slot].words:
            raise ValueError(f"{slot}: unknown word {word!r}")
    return Labels(int(row["identity"]), int(row["device"]), words)


def draw_device_of(mixture: Mixture, number: int) -> Device:
    """The device of this number."""
    rng = generator(mixture.seed, Stream.DEVICE, number)
    return draw_device(_word(rng, mixture.sensor), rng)


def draw_pattern(mixture: Mixture, identity: int) -> str:
    """The pattern class of an identity."""
    return _word(generator(mixture.seed, Stream.PLAN, identity), mixture.pattern)


def draw_labels(mixture: Mixture, identity: int, capture_number: int, device: Device) -> Labels:
    """Draw how the finger is captured. A latent device lifts latents; every other kind takes every acquisition."""
    rng = generator(mixture.seed, Stream.PLAN, identity, capture_number + 1)
    drawn = {slot: _word(rng, mixture.shares[slot]) for slot in _captured(mixture)}
    if device.sensor == "latent":
        drawn["acquisition"] = "latent"
    known = drawn | {"pattern": draw_pattern(mixture, identity), "sensor": device.sensor}
    words = {**known, "surface": device.surface, "technique": device.technique}
    return Labels(identity, device.seed, {slot: words.get(slot) for slot in SLOTS})


def _captured(mixture: Mixture) -> list[str]:
    """Slots that are drawn for every capture, in the order of their draws: those that neither finger nor device has."""
    own = [(SLOTS[slot].draw, slot) for slot in mixture.shares if slot != "sensor"]
    return [slot for draw, slot in sorted((d, slot) for d, slot in own if d is not None)]


def _word(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    words = list(shares)
    weights = np.array([shares[w] for w in words])
    return words[int(rng.choice(len(words), p=weights / weights.sum()))]
