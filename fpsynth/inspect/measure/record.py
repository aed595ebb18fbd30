"""What is kept of an image once it has been looked at: a line of figures, small enough for a hundred thousand."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from fpsynth.extractor import Extractor, Tally
from fpsynth.inspect.measure.image import Deep


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What NIST's tools say: NFIQ2 (None where it gives no score) and its measures, mindtct's minutiae.

    tally is (hits, truth, extra, strong) against the row's minutiae, None without them; template is nbis's own bytes,
    from which bozorth3 gives the same scores as from the image; wrong names a systematic error in the truth. By
    fpsynth's own extractor there are neither NFIQ2 nor a template.
    """

    nfiq2: int | None
    features: Mapping[str, float]
    found: int
    template: bytes
    tally: Tally | None = None
    wrong: str | None = None
    extractor: Extractor = "mindtct"


@dataclass(frozen=True, slots=True)
class Print:
    """The embedding of an image (see fpsynth.embedding.embedder.Description), float16 bytes."""

    identity: bytes
    texture: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One image. unit and number: where it came from. Images of the sample have deep, print, read and judged.

    read: what the reader says, see fpsynth.inspect.measure.reading.
    """

    unit: int
    number: int
    name: str
    identity: str
    impression: int
    width: int
    height: int
    ppi: float
    mean: float
    deviation: float
    pixels: str
    split: str | None = None
    subject: str | None = None
    words: Mapping[str, str | None] = field(default_factory=dict)
    truth: int | None = None
    endings: int | None = None
    gate: Mapping[str, Any] | None = None
    deep: Deep | None = None
    print: Print | None = None
    read: bytes | None = None
    judged: Judged | None = None


def shared(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same object for equal facts (keys and plain values): a large dataset says the same of many images."""
    return _shared(tuple(facts.items()))


@lru_cache(4096)
def _shared(facts: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    return dict(facts)


def to_json(record: Record) -> dict[str, Any]:
    """A record as JSON holds it."""
    content = asdict(record)
    if record.judged is not None:
        content["judged"]["template"] = record.judged.template.hex()
    if record.print is not None:
        content["print"] = {name: vector.hex() for name, vector in content["print"].items()}
    if record.read is not None:
        content["read"] = record.read.hex()
    return content


def from_json(content: dict[str, Any], unit: int) -> Record:
    """A record from JSON; unit: its unit's number in the dataset at hand."""
    judged = content["judged"]
    if judged is not None:
        tally = None if judged["tally"] is None else Tally(*judged["tally"])
        judged = Judged(**{**judged, "template": bytes.fromhex(judged["template"]), "tally": tally})
    deep = None if content["deep"] is None else Deep(*content["deep"])
    vectors = content["print"]
    described = None if vectors is None else Print(**{name: bytes.fromhex(v) for name, v in vectors.items()})
    words, gate = shared(content["words"]), content["gate"] and shared(content["gate"])
    said = None if content["read"] is None else bytes.fromhex(content["read"])
    ready = {"unit": unit, "words": words, "gate": gate, "judged": judged, "deep": deep, "print": described}
    return Record(**{**content, **ready, "read": said})
