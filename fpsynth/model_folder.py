"""What a model directory says of itself, read without loading the model.

model_index.json   its parts, by class
conditions.json    what it understands: control planes, words, image sides, resolutions
scheduler/         its schedule, and the sampler that it is meant for
students/NAME/     few-step students, each with a scheduler of its own
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fpsynth.errors import DamagedFile, UserError
from fpsynth.vocabulary import SAMPLERS

LARGEST = 1 << 20
"""Bytes of a JSON file of a model, at most."""
INDEX, CONDITIONS = "model_index.json", "conditions.json"
PLANES = ("ridge", "contact", "load")
"""Of a model that does not say."""
KIN = {"PNDMScheduler": "ddim"}
"""Schedulers of other programs' models that none of our samplers is, and the sampler nearest to them."""


@dataclass(frozen=True, kw_only=True)
class Knows:
    """What a model was trained on.

    planes  names of the control planes, in its order
    slots   slot -> words of the prompts; empty: unknown
    sides   image sides in pixels; empty: unknown
    ppi     resolutions; empty: unknown
    """

    planes: tuple[str, ...] = PLANES
    slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sides: tuple[int, ...] = ()
    ppi: tuple[int, ...] = ()

    def scale(self, ppi: int) -> float:
        """How many times finer than images of this resolution the model draws, as it was taught: 1, 2, or half."""
        if not self.ppi or ppi in self.ppi:
            return 1.0
        return next((times for times in (0.5, 2.0) if ppi * times in self.ppi), 1.0)


def default_model() -> Path:
    """The bundled model."""
    return Path(__file__).parent / "weights" / "default"


def students(folder: Path) -> list[str]:
    """The names of a model's students."""
    return sorted(p.name for p in (folder / "students").glob("*") if p.is_dir())


def check_student(folder: Path, name: str) -> None:
    """Raise UserError where a model has no student of this name."""
    if name not in (known := students(folder)):
        raise UserError(f"{folder} has no student {name!r}; it has: {', '.join(known) or 'none'}")


def student_folder(folder: Path, name: str) -> Path:
    """Where a student lies."""
    return folder / "students" / name


def own_sampler(folder: Path, student: str | None) -> str | None:
    """The sampler that the student, or the model itself, is meant for; None where there is none like it here.

    A student without a scheduler of its own is sampled as the model is.
    """
    homes = [student_folder(folder, student)] if student else []
    for home in (*homes, folder):
        path = home / "scheduler" / "scheduler_config.json"
        if os.path.isfile(path):
            name = read_json(path).get("_class_name")
            return next((ours for ours, facts in SAMPLERS.items() if facts.scheduler == name), KIN.get(str(name)))
    return None


def knows(folder: Path) -> Knows:
    """What the model understands. Raises DamagedFile where conditions.json is something else."""
    path = folder / CONDITIONS
    if not path.is_file():
        return Knows()
    content = read_json(path)
    try:
        return Knows(
            planes=tuple(map(str, content["planes"])),
            slots={str(slot): tuple(map(str, words)) for slot, words in content["slots"].items()},
            sides=tuple(map(int, content["sides"])),
            ppi=tuple(map(int, content["ppi"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFile(f"{path}: does not say what the model knows ({error!r})") from None


def write_knows(folder: Path, what: Knows) -> None:
    """Write conditions.json."""
    (folder / CONDITIONS).write_text(json.dumps(asdict(what), indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises DamagedFile for anything else."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise ValueError("no file of at most a megabyte")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFile(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(content, dict):
        raise DamagedFile(f"{path}: is not a JSON object")
    return content
