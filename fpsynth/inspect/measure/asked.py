"""The shares that a dataset's recipe asked for, by column."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from fpsynth.inspect.measure.record import Record
from fpsynth.recipe.classes import class_shares
from fpsynth.recipe.rules import Wanted, joint, order
from fpsynth.recipe.schema import Rule
from fpsynth.slots import SLOTS
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
    """Shares by column and word, those of the rules included. What cannot be read asks for nothing.

    Natural pattern shares depend on the finger positions, so the records are asked. So they are where the pattern
    decides other words: all images of an identity have one, and few identities keep to its shares only roughly.
    """
    rules = _rules(recipe)
    if not recipe or rules is None:
        return {}
    shares: dict[str, dict[str, float] | None] = {
        name: _shares(recipe, slot.part, name) or None for name, slot in SLOTS.items()
    }
    natural = shares["pattern"] or _natural(records)
    want = Wanted(shares | {"pattern": _said(records) or natural}, rules)
    asked = {name: _with_other(want, name) for name in SLOTS if name != "pattern" and _is_asked(want, name)}
    return asked | ({"pattern": _with_other(Wanted({"pattern": natural}), "pattern")} if natural else {})


def _rules(recipe: Mapping[str, Any]) -> tuple[Rule, ...] | None:
    """The rules; None where they cannot be read or followed."""
    try:
        rules = tuple(Rule.model_validate(rule) for rule in recipe.get("rules") or ())
        order(rules)
    except (TypeError, ValueError):
        return None
    return rules


def _is_asked(want: Wanted, name: str) -> bool:
    return want.shares[name] is not None or any(rule.then.get(name) for rule in want.rules)


def _said(records: Sequence[Record]) -> dict[str, float]:
    """Shares of the patterns over the images."""
    counts = Counter(word for record in records if (word := record.words.get("pattern")))
    return {word: count / counts.total() for word, count in counts.items()}


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


def _with_other(want: Wanted, name: str) -> dict[str, float]:
    """What is stored as nothing is `other`: left open, outside the vocabulary, or not to be said of a row's sensor."""
    given = [want.shares[name], *(rule.then.get(name) for rule in want.rules)]
    known = {word: 0.0 for shares in given for word in shares or () if word in SLOTS[name].words}
    for (word,), share in joint(want, [name]).items():
        if word in known:
            known[word] += share
    other = 1 - sum(known.values())
    return known | ({"other": other} if other > TINY else {})
