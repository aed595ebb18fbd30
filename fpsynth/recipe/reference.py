"""docs/recipe.md, made from the schema: ``python -m fpsynth.recipe.reference > docs/recipe.md``."""

from collections.abc import Iterator
from inspect import cleandoc
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
identities keep to their shares, and so are the words of impressions, within an identity (every four impressions) and
over all of them; the words of different slots are independent, but for rules (below). A surface is of latent and ink
prints only (ink lies on card), a technique of latent ones: with other sensors, or a word that the sensor cannot have,
the row has null there. The same recipe with another `capture.material` makes the very same captures: live and
spoof of an impression are a pair.

**Rules.** Real attributes go together. A rule replaces the shares of its `then` slots in the rows that say what its
`when` slots ask for:

    rules:
      - when: {acquisition: latent}
        then: {sensor: latent, quality: {poor: 0.6, very poor: 0.4}}
      - when: {sensor: [thermal, capacitive], skin: dry}
        then: {pressure: {light: 0.3, normal: 0.7}}

Here a row drawn as `latent` is of a latent sensor, and poor or very poor; a dry print by a thermal or capacitive sensor
is lightly or normally pressed. All `when` slots must say the word, or one of the listed words; several rules may hold,
and of those that set the same slot the last one wins. `then` takes a word, shares, or `null`: the slot is left open.
`pattern` belongs to the identity and may stand in `when` alone. Slots may not decide each other in a circle (a sensor
that limits its surfaces decides them too). A rule changes the shares and not the random number that falls into them:
rows that no rule holds for are the same with and without rules, to the byte. Two rules with the same `when` that set
the same slot, and words that the rule's sensor cannot have, are mistakes; rules without effect, and words that do not
go together in one print (a latent sensor in a plain capture, say), are told and followed. `fpsynth inspect` compares a
dataset with the shares that come of the rules.

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
        yield f"{cleandoc(model.__doc__ or '')}\n\n"
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
    if isinstance(default, bool):
        default = str(default).lower()
    return f"`{[] if default == () else default}`"


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
        return f"{_value(options[0], metadata)}, or `{absent_word(metadata) or 'null'}`"
    if get_origin(annotation) is dict:
        keys = _value(options[0], [])
        return f"shares of {keys}" if options[1] == Share else f"{keys}: {_value(options[1], [])} each"
    if get_origin(annotation) is tuple and Ellipsis not in get_args(annotation):
        return f"[{'; '.join(_value(option, []) for option in options)}]"
    if get_origin(annotation) is tuple:
        return f"a list of {_value(options[0], [])}"
    return _simple(annotation) + _limits(metadata)


def _simple(annotation: Any) -> str:
    return {int: "whole number", float: "number", bool: "`true` or `false`", str: "text"}[annotation]


def _limits(metadata: list[Any]) -> str:
    limits = ("ge", "le", "gt", "lt")
    found = {name: getattr(item, name) for item in _flat(metadata) for name in limits if hasattr(item, name)}
    if {"ge", "le"} <= set(found):
        return f", {found['ge']} to {found['le']}"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return "".join(f", {word} {found[name]}" for name, word in words.items() if name in found)


def _flat(metadata: list[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from _flat(item.metadata) if isinstance(item, FieldInfo) else (item,)


if __name__ == "__main__":
    print(reference(), end="")
