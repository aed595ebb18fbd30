"""One image of a dataset with everything that is known about it, and its typed columns."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fpsynth import __version__
from fpsynth.extractor import Extractor
from fpsynth.gate.limits import Limits
from fpsynth.gate.verdict import WORDS, Word
from fpsynth.minutiae import Minutia, SingularPoint
from fpsynth.minutiae.minutia import MinutiaKind, SingularKind
from fpsynth.slots import LIVENESS, SLOTS, Words, liveness
from fpsynth.vocabulary import FINGERS

if TYPE_CHECKING:
    from datasets import Features

RendererKind = Literal["diffusion", "virtual"]

KINDS: tuple[MinutiaKind, ...] = ("ending", "bifurcation")
SINGULAR_KINDS: tuple[SingularKind, ...] = ("core", "delta")
GROWN = "no print of a real finger"
RENDERERS: tuple[RendererKind, ...] = ("diffusion", "virtual")


@dataclass(frozen=True)
class GateRecord:
    """What the gate said of the image that was kept, how many were drawn, by which extractor (None: no gate), and the
    limits that it passed or failed."""

    verdict: Word = "unjudged"
    recall: float | None = None
    spurious: float | None = None
    tries: int = 1
    extractor: Extractor | None = None
    limits: Limits | None = None


@dataclass(frozen=True)
class Renderer:
    """What made the image: a diffusion model (its digest, its student) or a virtual sensor."""

    kind: RendererKind
    model: str | None = None
    student: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One image and its truth. encoded: the PNG, where it is one already.

    image is (height, width) uint8. words: those of fpsynth.slots; None, or absent, where the recipe leaves a slot open
    or the sensor cannot have the word. source: the file that the finger is rebuilt from, if any. Minutiae and singular
    points are in image pixels.
    """

    image: np.ndarray
    identity: int
    impression: int
    subject: int
    finger: int = 0
    words: Words
    prompt: str
    style: str | None = None
    source: str | None = None
    seed: int
    ppi: int = 500
    minutiae: Sequence[Minutia] = ()
    singular: Sequence[SingularPoint] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    shared_noise: int = 0
    gate: GateRecord = GateRecord()
    renderer: Renderer
    encoded: bytes | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for an image, a number or a slot that no file can hold."""
        if self.image.dtype != np.uint8 or self.image.ndim != 2:
            raise ValueError(f"image must be (height, width) uint8, not {self.image.shape} {self.image.dtype}")
        if min(self.identity, self.impression) < 0:
            raise ValueError(f"identity {self.identity}, impression {self.impression}: not negative")
        if strange := self.words.keys() - SLOTS.keys():
            raise ValueError(f"no slots: {', '.join(sorted(strange))}")

    @property
    def id(self) -> str:
        """The name of this image everywhere: identity and impression."""
        return f"{self.identity:06d}_{self.impression:02d}"


def features() -> "Features":
    """The columns of a dataset, in order."""
    from datasets import Features, Image, Value

    return Features({"image": Image(), **_facts(Value)})


def metadata_features() -> "Features":
    """The columns of the metadata of an image folder: the name of the file in place of the image."""
    from datasets import Features, Value

    return Features({"file_name": Value("string"), **_facts(Value)})


def _facts(value: Any) -> dict[str, Any]:
    from datasets import ClassLabel, List

    point = {"x": value("float32"), "y": value("float32")}
    return {
        "id": value("string"),
        "identity": value("int64"),
        "subject": value("int64"),
        "finger": ClassLabel(names=list(FINGERS)),
        "impression": value("int32"),
        **{name: ClassLabel(names=list(slot.words)) for name, slot in SLOTS.items()},
        "liveness": ClassLabel(names=list(LIVENESS)),
        "prompt": value("string"),
        "style": value("string"),
        "source": value("string"),
        "seed": value("int64"),
        "ppi": value("int32"),
        "width": value("int32"),
        "height": value("int32"),
        "sha256": value("string"),
        "minutiae": List(
            {**point, "angle": value("float32"), "kind": ClassLabel(names=list(KINDS)), "quality": value("uint8")}
        ),
        "singular": List({**point, "kind": ClassLabel(names=list(SINGULAR_KINDS))}),
        "parameters": List({"name": value("string"), "value": value("float32")}),
        "shared_noise": value("int32"),
        "gate": {
            "verdict": ClassLabel(names=list(WORDS)),
            "recall": value("float32"),
            "spurious": value("float32"),
            "tries": value("int32"),
            "extractor": value("string"),
            "least_recall": value("float32"),
            "most_spurious": value("float32"),
        },
        "renderer": {
            "kind": ClassLabel(names=list(RENDERERS)),
            "model": value("string"),
            "student": value("string"),
        },
    }


@cache
def _codes(words: tuple[str, ...]) -> dict[str, int]:
    return {word: code for code, word in enumerate(words)}


def _code(words: tuple[str, ...], word: str | None) -> int | None:
    return None if word is None else _codes(words)[word]


def facts(row: Row, encoded: bytes) -> dict[str, Any]:
    """The row's columns but the image, as Arrow takes them (class labels as codes). KeyError for an unknown word.

    encoded: the row's PNG, for its digest.
    """
    height, width = row.image.shape
    return {
        "id": row.id,
        "identity": row.identity,
        "subject": row.subject,
        "finger": row.finger,
        "impression": row.impression,
        **{name: _code(slot.words, row.words.get(name)) for name, slot in SLOTS.items()},
        "liveness": _code(LIVENESS, liveness(row.words)),
        "prompt": row.prompt,
        "style": row.style,
        "source": row.source,
        "seed": row.seed,
        "ppi": row.ppi,
        "width": width,
        "height": height,
        "sha256": hashlib.sha256(encoded).hexdigest(),
        "minutiae": [
            {"x": m.x, "y": m.y, "angle": m.angle, "kind": _code(KINDS, m.kind), "quality": m.quality}
            for m in row.minutiae
        ],
        "singular": [{"x": p.x, "y": p.y, "kind": _code(SINGULAR_KINDS, p.kind)} for p in row.singular],
        "parameters": [{"name": name, "value": float(value)} for name, value in sorted(row.parameters.items())],
        "shared_noise": row.shared_noise,
        "gate": {
            "verdict": _code(WORDS, row.gate.verdict),
            "recall": row.gate.recall,
            "spurious": row.gate.spurious,
            "tries": row.gate.tries,
            "extractor": row.gate.extractor,
            "least_recall": row.gate.limits and row.gate.limits.recall,
            "most_spurious": row.gate.limits and row.gate.limits.spurious,
        },
        "renderer": {
            "kind": _code(RENDERERS, row.renderer.kind),
            "model": row.renderer.model,
            "student": row.renderer.student,
        },
    }


def png(row: Row) -> bytes:
    """The row's image as a grey PNG that says its resolution (pHYs), and in text that it is synthetic and by whom."""
    if row.encoded is not None:
        return row.encoded
    text = PngInfo()
    text.add_text("Title", row.id)
    text.add_text("Description", f"Synthetic fingerprint, {'made from a file' if row.source else GROWN}")
    text.add_text("Software", f"fpsynth {__version__}")
    buffer = io.BytesIO()
    Image.fromarray(row.image).save(buffer, "PNG", compress_level=1, dpi=(row.ppi, row.ppi), pnginfo=text)
    return buffer.getvalue()
