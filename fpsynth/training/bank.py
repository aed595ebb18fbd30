"""The bank: captures of virtual fingers by virtual sensors, rendered once to disk, chunk by chunk.

A chunk is 64 images: 16 fingers x 4 captures on 8 devices of 8 images each, always of different fingers, so that every
image has style references (the same device, another finger) in its own chunk. A chunk depends on (seed, index) only,
but for its noise, which a GPU draws otherwise than a CPU.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from fpsynth.conditioning.planes import control_planes
from fpsynth.errors import UserError
from fpsynth.finger import Finger, make_fingers
from fpsynth.impression import CaptureSettings, capture_all
from fpsynth.rng import Stream, generator
from fpsynth.sensor import Device, draw_device, render_all
from fpsynth.slots import words_of
from fpsynth.vocabulary import PATTERNS
from fpsynth.work import processes

FINGERS = 16
CAPTURES = 4
DEVICES = 8
CHUNK = FINGERS * CAPTURES
"""Images a chunk."""
BATCH = FINGERS
"""Images rendered at once on a GPU. On a core one at a time is fastest: its planes stay in the cache."""
SIZE = 512
"""Pixels: height and width of every image."""


def _shares_of(words: tuple[str, ...]) -> Callable[[dict[str, float]], dict[str, float]]:
    """A validator: known words, no negative share, sum 1 within rounding."""

    def check(shares: dict[str, float]) -> dict[str, float]:
        unknown = [word for word in shares if word not in words]
        if unknown:
            raise ValueError(f"unknown word {unknown[0]!r}; known: {', '.join(words)}")
        if min(shares.values(), default=0) < 0 or abs(sum(shares.values()) - 1) > 1e-3:
            raise ValueError(f"shares must not be negative and must sum to 1, not to {sum(shares.values()):g}")
        return shares

    return check


def _shares(words: tuple[str, ...], **default: float) -> dict[str, float]:
    return {word: default.get(word.replace(" ", "_"), 0.0) for word in words}


class Mixture(BaseModel):
    """Shares of what is rendered for training; flatter than nature's, so that rare words are learnt too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: NonNegativeInt = 990_001
    workers: PositiveInt = Field(default_factory=lambda: os.cpu_count() or 1)
    sensor: Annotated[dict[str, float], AfterValidator(_shares_of(words_of("sensor")))] = _shares(
        words_of("sensor"), optical=0.3, capacitive=0.2, thermal=0.15, ink=0.2, latent=0.05, contactless=0.1
    )
    acquisition: Annotated[dict[str, float], AfterValidator(_shares_of(words_of("acquisition")))] = _shares(
        words_of("acquisition"), plain=0.6, rolled=0.18, partial=0.14, slap=0.08
    )
    quality: Annotated[dict[str, float], AfterValidator(_shares_of(words_of("quality")))] = _shares(
        words_of("quality"), excellent=0.15, good=0.35, fair=0.25, poor=0.15, very_poor=0.1
    )
    skin: Annotated[dict[str, float], AfterValidator(_shares_of(words_of("skin")))] = _shares(
        words_of("skin"), normal=0.6, dry=0.2, wet=0.2
    )
    pressure: Annotated[dict[str, float], AfterValidator(_shares_of(words_of("pressure")))] = _shares(
        words_of("pressure"), light=0.25, normal=0.5, firm=0.25
    )
    pattern: Annotated[dict[str, float], AfterValidator(_shares_of(PATTERNS))] = _shares(
        PATTERNS, arch=0.1, tented_arch=0.08, left_loop=0.28, right_loop=0.28, whorl=0.18, double_loop=0.08
    )


class BankSettings(Mixture):
    """What the bank holds."""

    images: PositiveInt = 2560

    @property
    def chunks(self) -> int:
        """Chunks that hold at least as many images as asked for."""
        return -(-self.images // CHUNK)

    def content(self) -> dict[str, object]:
        """What decides the bytes of a chunk (not: how many chunks, nor who renders them)."""
        return self.model_dump(exclude={"images", "workers"})


@dataclass(frozen=True)
class Labels:
    """What is known of one image of the bank. device is the seed of the device that made it."""

    identity: int
    pattern: str
    acquisition: str
    sensor: str
    quality: str
    skin: str
    pressure: str
    surface: str | None
    device: int


@dataclass(frozen=True)
class Chunk:
    """images uint8 (64, 512, 512), planes uint8 (64, 3, 512, 512), labels."""

    images: np.ndarray
    planes: np.ndarray
    labels: tuple[Labels, ...]


def chunk_files(folder: Path, index: int) -> tuple[Path, Path, Path]:
    """Images, planes and labels of a chunk; the labels are written last, so a chunk that has them is whole."""
    return tuple(folder / f"{part}-{index:05d}.{ext}" for part, ext in _PARTS)  # type: ignore[return-value]


_PARTS = (("images", "npy"), ("planes", "npy"), ("labels", "json"))


def build_bank(folder: Path, settings: BankSettings, say: Callable[[str], None] = print, device: str = "cpu") -> None:
    """Render what is missing of the bank. Running it again goes on; more images may be asked for later.

    On the CPU by settings.workers processes, on another torch device by this one in batches.

    Raises UserError when the folder holds a bank made with other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claim(folder / "bank.json", settings.content())
    missing = [i for i in range(settings.chunks) if not chunk_files(folder, i)[2].exists()]
    write = partial(write_chunk, folder, settings, device=device)
    with processes(min(settings.workers, len(missing)) if device == "cpu" else 1) as mapper:
        for done, _ in enumerate(mapper(write, missing), 1):
            say(f"bank: {done} of {len(missing)} chunks of {CHUNK} images")


def claim(path: Path, settings: Mapping[str, object]) -> None:
    """Write the settings beside the chunks, or check that they are the same. Raises UserError where they are not."""
    content = json.loads(json.dumps(settings))
    if path.exists():
        if json.loads(path.read_text()) != content:
            raise UserError(f"{path.parent}: holds a bank of other settings (see {path.name}); choose another folder")
    else:
        _replace(path, json.dumps(content, indent=1).encode())


def write_chunk(folder: Path, settings: BankSettings, index: int, device: str = "cpu") -> None:
    """Render one chunk and put it in the folder, whole or not at all."""
    chunk = render_chunk(settings, index, device=device)
    images, planes, labels = chunk_files(folder, index)
    for path, array in ((images, chunk.images), (planes, chunk.planes)):
        temporary = path.with_suffix(".part.npy")
        np.save(temporary, array)
        os.replace(temporary, path)
    _replace(labels, json.dumps([asdict(one) for one in chunk.labels]).encode())


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_bytes(data)
    os.replace(temporary, path)


@dataclass(frozen=True)
class _Shot:
    """One image to make: the capture `number` of the finger that the labels name, by a device."""

    labels: Labels
    number: int
    device: Device


def render_chunk(
    settings: BankSettings, index: int, size: int = SIZE, count: int = CHUNK, device: str = "cpu"
) -> Chunk:
    """The first `count` images of chunk `index`, size x size, made on a torch device.

    A function of the arguments and of nothing else.
    """
    shots, batch = _shots(settings, index)[:count], 1 if device == "cpu" else BATCH
    fingers: dict[int, Finger] = {}
    images = np.empty((count, size, size), np.uint8)
    planes = np.empty((count, 3, size, size), np.uint8)
    for part in (slice(start, start + batch) for start in range(0, count, batch)):
        new = sorted({shot.labels.identity for shot in shots[part]} - fingers.keys())
        fingers |= _grown(settings, new, device)
        images[part], planes[part] = _taken(settings, shots[part], fingers, size)
    return Chunk(images, planes, tuple(shot.labels for shot in shots))


def _shots(settings: BankSettings, index: int) -> list[_Shot]:
    devices = [draw_device_of(settings, index * DEVICES + d) for d in range(DEVICES)]
    drawn = [(index * FINGERS + k % FINGERS, k // FINGERS, devices[k * DEVICES // CHUNK]) for k in range(CHUNK)]
    return [_Shot(draw_labels(settings, *one), *one[1:]) for one in drawn]


def _grown(settings: BankSettings, identities: Sequence[int], device: str) -> dict[int, Finger]:
    if not identities:
        return {}
    rngs = [generator(settings.seed, Stream.FINGER, identity) for identity in identities]
    patterns = [draw_pattern(settings, identity) for identity in identities]
    return dict(zip(identities, make_fingers(rngs, patterns, [0] * len(rngs), device), strict=True))


def _taken(
    settings: BankSettings, shots: Sequence[_Shot], fingers: Mapping[int, Finger], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """A batch of images uint8 (B, size, size) and their planes uint8 (B, 3, size, size)."""
    labels, places = [s.labels for s in shots], [(s.labels.identity, s.number) for s in shots]
    asked = [CaptureSettings(size, size, 500, one.acquisition, one.quality, one.skin, one.pressure) for one in labels]
    capturing, rendering = (
        [generator(settings.seed, stream, *place) for place in places] for stream in (Stream.CAPTURE, Stream.RENDER)
    )
    impressions = capture_all([fingers[one.identity] for one in labels], asked, capturing)
    images = render_all(impressions, [shot.device for shot in shots], rendering)
    planes = torch.stack([(control_planes(one) * 255).round().to(torch.uint8) for one in impressions])
    return images.cpu().numpy(), planes.cpu().numpy()


def draw_device_of(settings: Mixture, number: int) -> Device:
    rng = generator(settings.seed, Stream.DEVICE, number)
    return draw_device(_word(rng, settings.sensor), rng)


def draw_pattern(settings: Mixture, identity: int) -> str:
    return _word(generator(settings.seed, Stream.PLAN, identity), settings.pattern)


def draw_labels(settings: Mixture, identity: int, capture_number: int, device: Device) -> Labels:
    """Draw how the finger is captured. A latent device lifts latents; every other kind takes every acquisition."""
    rng = generator(settings.seed, Stream.PLAN, identity, capture_number + 1)
    acquisition = _word(rng, settings.acquisition)
    return Labels(
        identity,
        draw_pattern(settings, identity),
        "latent" if device.sensor == "latent" else acquisition,
        device.sensor,
        _word(rng, settings.quality),
        _word(rng, settings.skin),
        _word(rng, settings.pressure),
        device.surface,
        device.seed,
    )


def _word(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    words = list(shares)
    weights = np.array([shares[w] for w in words])
    return words[int(rng.choice(len(words), p=weights / weights.sum()))]
