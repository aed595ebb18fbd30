"""A part of a training recipe that is one of several kinds, each with settings of its own."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError


def kind_of(table: Callable[[], Mapping[str, type[BaseModel]]]) -> BeforeValidator:
    """A validator of `{kind: NAME, ...}`, or NAME alone, by the settings that the table has for that name."""

    def check(value: Any) -> Any:
        if isinstance(value, BaseModel):
            return value
        given = {"kind": value} if isinstance(value, str) else value
        kinds = table()
        if not isinstance(given, dict) or given.get("kind") not in kinds:
            text = f"wants `kind`, one of {', '.join(kinds)}"
            raise PydanticCustomError("kind", "{text}", {"text": text})
        return kinds[given["kind"]].model_validate(given)

    return BeforeValidator(check)
