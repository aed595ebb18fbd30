"""The shares that a dataset's recipe asked for, by column."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from fpsynth.inspect.measure.record import Record
from fpsynth.recipe.classes import class_shares
from fpsynth.slots import SLOTS, Slot
from fpsynth.vocabulary import FINGERS

TINY = 1e-9
"""What rounding leaves of a share."""


def recipe_of(manifest: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The recipe that the manifest holds; empty where it holds none that can be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load((manifest or {}).get("recipe") or "")
    except YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def asked_shares(recipe: Mapping[str, Any], records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Shares by column and word. Natural pattern shares depend on the finger positions, so the records are asked."""
    if not recipe:
        return {}
    asked = {name: shares for name, slot in SLOTS.items() if (shares := _shares(recipe, slot.part, name))}
    asked.setdefault("pattern", _natural(records))
    sensors = asked.get("sensor", {})
    return {name: _with_other(shares, SLOTS[name], sensors) for name, shares in asked.items()}


def _shares(recipe: Mapping[str, Any], part: str, key: str) -> dict[str, float]:
    shares = (recipe.get(part) or {}).get(key)
    return {str(word): float(share) for word, share in shares.items()} if isinstance(shares, dict) else {}


def _natural(records: Sequence[Record]) -> dict[str, float]:
    positions = Counter({r.identity: r.words.get("finger") for r in records}.values())
    total = sum(positions.values())
    mean: defaultdict[str, float] = defaultdict(float)
    for finger, count in positions.items():
        position = FINGERS.index(finger) if finger in FINGERS else 0
        for name, share in class_shares(position).items():
            mean[name] += share * count / total
    return dict(mean)


def _with_other(shares: Mapping[str, float], slot: Slot, sensors: Mapping[str, float]) -> dict[str, float]:
    """What is stored as nothing is `other`: words outside the vocabulary, and those that a row's sensor cannot have."""
    known = {word: share * _said(word, slot, sensors) for word, share in shares.items() if word in slot.words}
    other = sum(shares.values()) - sum(known.values())
    return known | ({"other": other} if other > TINY else {})


def _said(word: str, slot: Slot, sensors: Mapping[str, float]) -> float:
    """In which share of the images the word can stand, if it is drawn."""
    return sum(share for sensor, share in sensors.items() if slot.allowed(word, sensor)) if slot.only else 1.0
