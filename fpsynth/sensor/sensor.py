"""Drawing a device of a kind, and rendering an impression with it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fpsynth.errors import UserError
from fpsynth.impression import Impression
from fpsynth.impression.chance import Chance
from fpsynth.sensor.device import Device, Devices, draw_parameters
from fpsynth.sensor.kind import kind_of
from fpsynth.sensor.touch import touch
from fpsynth.slots import SLOTS, Words, clash, words_of


def draw_device(
    sensor: str, rng: np.random.Generator, surface: str | None = None, technique: str | None = None
) -> Device:
    """Draw a device of a kind (a word of the slot); surface and technique are those said where it can have them.

    What is not said is drawn from what goes with the rest. Raises UserError for an unknown kind, surface or technique.
    """
    said = {"surface": surface, "technique": technique}
    kind = kind_of(sensor)
    for slot, word in said.items():
        if word is not None and word not in words_of(slot):
            raise UserError(f"unknown {slot} {word!r}; known: {', '.join(words_of(slot))}")
    parameters, seed = draw_parameters(kind.ranges, rng), int(rng.integers(2**63))
    for slot in said:
        said[slot] = _drawn(slot, sensor, said, float(rng.random()))
    return Device(sensor, parameters, seed, **said)


def _drawn(slot: str, sensor: str, said: Words, chance: float) -> str | None:
    """The word said, or that at `chance` in [0, 1) of those that go with the rest; None where the kind has none."""
    possible = SLOTS[slot].only.get(sensor, ())
    if not possible or said[slot] in possible:
        return said[slot] if possible else None
    going = [word for word in possible if not clash({**said, slot: word})]
    return (going or possible)[int(chance * len(going or possible))]


def render(impression: Impression, device: Device, rng: np.random.Generator) -> Tensor:
    """The image (height, width) uint8 that this device gives of the impression, ridges dark on light.

    On the impression's torch device; the same generator state gives the same image there.
    """
    return render_all([impression], [device], [rng])[0]


def render_all(
    impressions: Sequence[Impression], devices: Sequence[Device], rngs: Sequence[np.random.Generator]
) -> Tensor:
    """A batch of images (B, height, width) uint8, of impressions of one size: each is what render makes of it.

    Images of one kind of sensor are rendered together.
    """
    first = impressions[0].ridges
    images = torch.empty(len(impressions), *first.shape, dtype=torch.uint8, device=first.device)
    for sensor in dict.fromkeys(device.sensor for device in devices):
        which = [i for i, device in enumerate(devices) if device.sensor == sensor]
        own = Devices(tuple(devices[i] for i in which), first.device)
        chance = Chance.of([rngs[i] for i in which], first.device)
        pressed = touch([impressions[i] for i in which], own.parameters)
        images[which] = kind_of(sensor).expose(pressed, own, chance).round().clamp(0, 255).to(torch.uint8)
    return images
