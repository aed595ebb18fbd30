"""A document against a schema: typed values, or one clear line for every mistake."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fpsynth.errors import UserError
from fpsynth.recipe.document import Document, Loc
from fpsynth.recipe.types import nearest

M = TypeVar("M", bound=BaseModel)

TEXTS = {
    "missing": "is missing and has no default",
    "int_type": "must be a whole number, not {input}",
    "int_from_float": "must be a whole number, not {input}",
    "float_type": "must be a number, not {input}",
    "finite_number": "must be a finite number, not {input}",
    "bool_type": "must be true or false, not {input}",
    "string_type": "must be a text, not {input}",
    "dict_type": "must be a word or {{word: share}}, not {input}",
    "tuple_type": "must be a list, not {input}",
    "list_type": "must be a list, not {input}",
    "model_type": "must be a mapping of keys to values, not {input}",
    "model_attributes_type": "must be a mapping of keys to values, not {input}",
    "greater_than_equal": "must be at least {ge:g}, not {input}",
    "greater_than": "must be more than {gt:g}, not {input}",
    "less_than_equal": "must be at most {le:g}, not {input}",
    "less_than": "must be less than {lt:g}, not {input}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters long",
}
"""pydantic's error types in the words of this program; others keep pydantic's."""


def validate(document: Document, schema: type[M]) -> M:
    """The document as an instance of schema. Raises UserError, one line for each mistake."""
    try:
        return schema.model_validate(document.data)
    except ValidationError as error:
        lines = [_line(document, schema, detail) for detail in error.errors() if _is_own(detail)]
        raise UserError("\n".join(lines)) from None


def _is_own(detail: ErrorDetails) -> bool:
    """False for the default that could not be worked out because another key is wrong, which is told anyway."""
    return detail["type"] != "default_factory_not_called"


def _line(document: Document, schema: type[BaseModel], detail: ErrorDetails) -> str:
    kind, loc = detail["type"], _trimmed(document.data, detail["loc"])
    if kind == "extra_forbidden":
        return document.line(loc, "unknown key" + nearest(str(loc[-1]), _keys(schema, loc[:-1])), of_key=True)
    of_key = (*loc, "[key]") == detail["loc"]
    if kind in TEXTS:
        return document.line(loc, TEXTS[kind].format(input=_shown(detail["input"]), **detail.get("ctx", {})), of_key)
    return document.line(loc, detail["msg"], of_key)


def _trimmed(data: Any, loc: Loc) -> Loc:
    """loc without pydantic's own marks and without the part that a shorthand (a constant for a mapping) stands for."""
    for depth, part in enumerate(loc):
        if part == "[key]":
            return loc[:depth]
        inside = isinstance(data, dict) or (isinstance(data, list) and isinstance(part, int))
        if not inside:
            return loc[:depth]
        missing = isinstance(data, dict) and part not in data
        if missing:
            return loc[: depth + 1]
        data = data[part]
    return loc


def _keys(schema: Any, loc: Loc) -> list[str]:
    """The keys that the part of the schema at loc knows."""
    for part in loc:
        if isinstance(part, str):
            schema = _model(schema.model_fields[part].annotation)
    return list(schema.model_fields)


def _model(annotation: Any) -> Any:
    """The model inside ``Model`` or ``Model | None``."""
    options = getattr(annotation, "__args__", (annotation,))
    return next(option for option in options if isinstance(option, type) and issubclass(option, BaseModel))


def _shown(value: Any) -> str:
    text = (
        {True: "true", False: "false", None: "nothing"}.get(value)
        if value is None or isinstance(value, bool)
        else repr(value)
    )
    text = str(text)
    return text if len(text) <= 60 else text[:57] + "..."
