"""docs/recipe.md, made from the schema: ``python -m fpsynth.recipe.reference > docs/recipe.md``."""

from collections.abc import Iterator
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fpsynth.recipe.schema import Recipe, absent_word
from fpsynth.recipe.types import OneOf, Share

HEAD = """# The recipe

A recipe is a YAML file. Every key but `identities` and `impressions` has a default. Check one without making anything:

    fpsynth generate recipe.yaml --dry-run

A mistake is told as `recipe.yaml:6:5: sampling.stpes: unknown key (did you mean steps?)`, with exit code 2, before
anything is written. `--set sampling.steps=8` replaces a value (dotted key, YAML value) and may be repeated.

**Shares.** Where the table says *shares*, a value is either a word, or `{word: share, ...}`. The shares must sum to 1
(rounding to three digits is forgiven). Patterns, finger positions and splits are dealt out evenly, so that even few
identities keep to their shares; the words of an impression are drawn independently. A surface is said of latent and
ink prints alone (ink lies on card): with other sensors, or a word that the sensor cannot have, the row leaves it open.

**What stays.** An identity depends on `seed` and its number, an impression on `seed`, the identity and its number. With
more identities the first ones stay as they are (with a model, images whose batch gains members may move by one grey
level: the last batch of a shard that was not full). The order of the words in `{...}` matters to the draw.

**Files.** Relative paths (`style.images`, `sampling.model`) start at the folder of the recipe.

This page is made from the schema by `python -m fpsynth.recipe.reference > docs/recipe.md`.
"""


def reference() -> str:
    """The whole page."""
    return HEAD + "".join(_sections(Recipe, "", "The recipe itself"))


def _sections(model: type[BaseModel], prefix: str, title: str) -> Iterator[str]:
    own = {name: field for name, field in model.model_fields.items() if _part(field) is None}
    parts = {name: field for name, field in model.model_fields.items() if _part(field)}
    yield f"\n## {title}\n\n"
    if prefix:
        yield f"{model.__doc__}\n\n"
    yield "| key | value | default | meaning |\n|---|---|---|---|\n"
    yield from (_row(prefix + name, field) for name, field in own.items())
    for name, field in parts.items():
        part = _part(field)
        assert part is not None
        also = f" ({field.description})" if field.description else ""
        yield from _sections(part, f"{prefix}{name}.", f"`{prefix}{name}`{also}")


def _row(key: str, field: FieldInfo) -> str:
    return f"| `{key}` | {_value(field.annotation, field.metadata)} | {_default(field)} | {field.description or ''} |\n"


def _part(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a part with keys of its own."""
    options = get_args(field.annotation) or (field.annotation,)
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default()
    if field.default_factory is not None:
        return "see there"
    if isinstance(default, dict) and len(default) == 1:
        default = next(iter(default))
    if default is None:
        default = absent_word(field.metadata) or "null"
    return f"`{[] if default == () else default}`".replace("False", "false")


def _value(annotation: Any, metadata: list[Any]) -> str:
    """The type in words."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _value(inner, [*metadata, *more])
    words = [item for item in metadata if isinstance(item, OneOf)]
    if words:
        return ", ".join(f"`{word}`" for word in words[0].words)
    options = [option for option in get_args(annotation) if option is not NoneType]
    if NoneType in get_args(annotation):
        return _value(options[0], metadata) + ("" if absent_word(metadata) else ", or `null`")
    if get_origin(annotation) is dict:
        keys = _value(options[0], [])
        return f"shares of {keys}" if options[1] == Share else f"{keys}: {_value(options[1], [])} each"
    if get_origin(annotation) is tuple:
        return f"a list of {_value(options[0], [])}"
    return _simple(annotation) + _limits(metadata)


def _simple(annotation: Any) -> str:
    return {int: "whole number", float: "number", bool: "`true` or `false`", str: "text"}[annotation]


def _limits(metadata: list[Any]) -> str:
    found = {name: getattr(item, name) for item in _flat(metadata) for name in ("ge", "le") if hasattr(item, name)}
    if {"ge", "le"} <= set(found):
        return f", {found['ge']} to {found['le']}"
    return f", at least {found['ge']}" if "ge" in found else ""


def _flat(metadata: list[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from _flat(item.metadata) if isinstance(item, FieldInfo) else (item,)


if __name__ == "__main__":
    print(reference(), end="")
