"""What was made of which picture: the files of an order, by which a run that was cut off goes on."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fpsynth import __version__
from fpsynth.diffusion.model import drawn_by
from fpsynth.files import write_bytes
from fpsynth.minutiae import Minutia


@dataclass(frozen=True)
class Ledger:
    """Of one verb, in a folder. how: all that decides the pictures besides the originals and the machine; device: where
    they are drawn."""

    out: Path
    verb: str
    how: str
    device: str

    @cached_property
    def _machine(self) -> str:
        return json.dumps(drawn_by(self.device))

    def done(self, path: Path) -> bool:
        """Whether this picture was edited so before."""
        image, record = self._files(path)
        try:
            return image.exists() and json.loads(record.read_text(encoding="utf-8"))["key"] == self._key(path)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def write(self, path: Path, ppi: float, image: np.ndarray, told: Mapping[str, Any]) -> None:
        """What was made of the picture at path, ppi its resolution; and beside it a record, with what is told of it."""
        picture, record = self._files(path)
        write_bytes(picture, self._png(path, ppi, image))
        facts = {"key": self._key(path), "verb": self.verb, "from": path.name, **told}
        write_bytes(record, (json.dumps(facts, indent=1) + "\n").encode())

    def _files(self, path: Path) -> tuple[Path, Path]:
        return self.out / f"{path.stem}.png", self.out / f"{path.stem}.json"

    def _key(self, path: Path) -> str:
        """Of all that decides the picture."""
        return hashlib.sha256(f"{self.how} {self._machine}".encode() + path.read_bytes()).hexdigest()

    def _png(self, path: Path, ppi: float, image: np.ndarray) -> bytes:
        """A grey PNG that says its resolution, and what was done to what."""
        text, buffer = PngInfo(), io.BytesIO()
        text.add_text("Description", f"Edited by a generative model ({self.verb}) from {path.name}")
        text.add_text("Software", f"fpsynth {__version__}")
        Image.fromarray(image).save(buffer, "PNG", compress_level=1, dpi=(ppi, ppi), pnginfo=text)
        return buffer.getvalue()


def point(m: Minutia, scale: float, origin: str = "extracted") -> dict[str, Any]:
    """A minutia, its place times `scale`, and where it is from."""
    return {"x": m.x * scale, "y": m.y * scale, "angle": m.angle, "kind": m.kind, "origin": origin}
