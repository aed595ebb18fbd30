"""What decides the bytes of a store, written beside its chunks and compared whenever it is opened or continued."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fpsynth.errors import DamagedFile, UserError
from fpsynth.files import write_bytes
from fpsynth.training.data.makers import difference, sample

FORMAT = 1
NAME = "store.json"


@dataclass(frozen=True)
class Description:
    """holds: what kind of store; settings: of whatever made it; columns: their names; makers: the sample of the program
    that made it, empty where this program did not."""

    holds: str
    settings: Mapping[str, Any]
    columns: Sequence[str]
    makers: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT


def read_description(folder: Path, holds: str) -> Description | None:
    """What is said of a store of this kind; None where there is none.

    Raises UserError for a store of another kind or format, DamagedFile for a description that cannot be read.
    """
    file = folder / NAME
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise refusal(folder, f"is of format {content['format']}, and this program's is {FORMAT}")
        found = Description(**content)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedFile(f"{file}: not the description of a store ({error})") from None
    if found.holds != holds:
        raise refusal(folder, f"holds {found.holds}, not {holds}")
    return found


def claim(folder: Path, wanted: Description, makers: Sequence[str] = ()) -> None:
    """Say what the folder will hold, or check that it holds just that.

    makers: names of the sample that is a part of the description, see makers.names_of. Raises UserError for a folder
    that holds anything else.
    """
    found = read_description(folder, wanted.holds)
    if found and (other := _other(found, wanted)):
        raise refusal(folder, other)
    made = sample(makers) if makers else {}
    if found is None:
        write_bytes(folder / NAME, (json.dumps(asdict(replace(wanted, makers=made)), indent=1) + "\n").encode())
    elif other := difference(found.makers, made):
        raise refusal(folder, other)


def check_makers(folder: Path, found: Description) -> None:
    """Raises UserError for a store whose makers are not this program's."""
    if found.makers and (other := difference(found.makers, sample(found.makers))):
        raise refusal(folder, other)


def refusal(folder: Path, other: str) -> UserError:
    """The line that says why a store is not used, and what to do."""
    return UserError(f"{folder}: {other}; choose another folder, or delete this one")


def _other(found: Description, wanted: Description) -> str | None:
    """What is different, in words."""
    settings = json.loads(json.dumps(wanted.settings))
    for key in settings | dict(found.settings):
        before, after = found.settings.get(key), settings.get(key)
        if before != after:
            return f"holds {found.holds} of other settings ({key} is {_short(before)}, not {_short(after)})"
    if sorted(found.columns) != sorted(wanted.columns):
        return f"holds {', '.join(sorted(found.columns))}, not {', '.join(sorted(wanted.columns))}"
    return None


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
