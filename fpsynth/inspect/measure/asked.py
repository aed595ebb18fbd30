"""The shares that a dataset's recipe asked for, by column."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fpsynth.inspect.measure.record import Record
from fpsynth.recipe.classes import class_shares
from fpsynth.vocabulary import ACQUISITIONS, FINGERS, PATTERNS, QUALITIES, SENSORS, SKINS

SLOTS = {
    "acquisition": ("capture", "acquisition"),
    "sensor": ("prompt", "sensor"),
    "quality": ("prompt", "quality"),
    "skin": ("prompt", "skin"),
}
"""Where a recipe has the shares of a column."""


VOCABULARY: Mapping[str, tuple[str, ...]] = {
    "acquisition": ACQUISITIONS,
    "sensor": SENSORS,
    "quality": QUALITIES,
    "skin": SKINS,
    "pattern": PATTERNS,
}


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
    asked = {}
    for column, (part, key) in SLOTS.items():
        shares = (recipe.get(part) or {}).get(key)
        if isinstance(shares, dict):
            asked[column] = {str(word): float(share) for word, share in shares.items()}
    pattern = (recipe.get("finger") or {}).get("pattern")
    asked["pattern"] = dict(pattern) if isinstance(pattern, dict) else _natural(records)
    return {column: _with_other(shares, column) for column, shares in asked.items()}


def _natural(records: Sequence[Record]) -> dict[str, float]:
    positions = Counter({r.identity: r.words.get("finger") for r in records}.values())
    total = sum(positions.values())
    mean: Counter[str] = Counter()
    for finger, count in positions.items():
        position = FINGERS.index(finger) if finger in FINGERS else 0
        for name, share in class_shares(position).items():
            mean[name] += share * count / total  # type: ignore[assignment]
    return dict(mean)


def _with_other(shares: dict[str, float], column: str) -> dict[str, float]:
    """Words outside the vocabulary are stored as nothing: together they are `other`."""
    known = {word: share for word, share in shares.items() if word in VOCABULARY[column]}
    other = sum(shares.values()) - sum(known.values())
    return known | ({"other": other} if len(known) < len(shares) else {})
