"""The schema against the table of slots: each slot has its key, and no words are shared out without a slot."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from fpsynth.recipe.schema import Recipe, shares_of
from fpsynth.recipe.types import OneOf
from fpsynth.slots import SLOTS

NO_SLOT = {("finger", "position"), ("sampling", "guide")}
"""Mappings that are no shares of words said of an image."""


def vocabularies(annotation: Any) -> Iterator[OneOf]:
    """The vocabularies of the keys of every mapping inside a type."""
    if get_origin(annotation) is dict:
        yield from (mark for mark in get_args(get_args(annotation)[0]) if isinstance(mark, OneOf))
    for inner in get_args(annotation):
        yield from vocabularies(inner)


def shared_out() -> dict[tuple[str, str], OneOf]:
    """(part, key) -> vocabulary of every key that takes shares of words."""
    return {
        (part, key): mark
        for part, field in Recipe.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for key, inner in field.annotation.model_fields.items()
        for mark in vocabularies(inner.annotation)
    }


def test_every_slot_has_its_key_and_every_key_its_slot():
    wanted = {(slot.part, name): OneOf(name) for name, slot in SLOTS.items()}
    assert {place: mark for place, mark in shared_out().items() if place not in NO_SLOT} == wanted


def test_the_shares_of_every_slot_are_found():
    recipe = Recipe(identities=1, impressions=1)
    assert {name for name in SLOTS if shares_of(recipe, name)} == {"quality", "acquisition", "sensor", "skin"}


def test_a_word_added_later_is_accepted(monkeypatch):
    content = {"identities": 1, "impressions": 1, "prompt": {"skin": "oily"}}
    with pytest.raises(ValidationError, match="one of normal, dry, wet"):
        Recipe.model_validate(content)
    monkeypatch.setitem(SLOTS, "skin", replace(SLOTS["skin"], words=("normal", "dry", "wet", "oily")))
    assert Recipe.model_validate(content).prompt.skin == {"oily": 1.0}
