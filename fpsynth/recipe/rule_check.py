"""Rules that cannot be followed, rules that never matter, and words that cannot be said of one print."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError
from itertools import pairwise
from types import NoneType
from typing import get_args

from fpsynth.recipe.classes import class_shares
from fpsynth.recipe.document import Loc
from fpsynth.recipe.finding import Finding
from fpsynth.recipe.rules import Wanted, holds, joint, order, wanted
from fpsynth.recipe.schema import Recipe, Rule, shares_of
from fpsynth.recipe.types import OneOf
from fpsynth.slots import CLASHES, SLOTS, Words

LEAST = 1e-9
"""A share below it is what rounding leaves."""


def check_rules(recipe: Recipe) -> Iterator[Finding]:
    """Everything that is wrong with the rules; where nothing is, what is idle or clashes.

    Of a recipe whose words are yet to be read off example images, neither of these is known.
    """
    wrong = [*_unknown(recipe)] or [
        *_unseen(recipe),
        *_unsettable(recipe),
        *_circle(recipe),
        *_doubled(recipe),
        *_unsayable(recipe),
    ]
    yield from wrong
    if not wrong and not recipe.style.context:
        want = wanted(recipe, recipe.finger.pattern or class_shares(0))
        yield from _idle(want)
        yield from _clashing(want)


def asked(shares: Mapping[str, float] | None) -> list[str]:
    """The words that can come up."""
    return [word for word, share in (shares or {}).items() if share > 0]


def asked_words(recipe: Recipe, slot: str) -> list[str]:
    """The words that can come up by the slot's own shares or by a rule's."""
    given = [shares_of(recipe, slot), *(rule.then.get(slot) for rule in recipe.rules)]
    return list(dict.fromkeys(word for shares in given for word in asked(shares)))


def askings(recipe: Recipe, slot: str) -> Iterator[tuple[Loc, list[str]]]:
    """The words of a slot that can come up, with the place that gives them: the slot's own key, then the rules."""
    yield (SLOTS[slot].part, slot), asked(shares_of(recipe, slot))
    for number, rule in enumerate(recipe.rules):
        if slot in rule.then:
            yield ("rules", number, "then", slot), asked(rule.then[slot])


def _unknown(recipe: Recipe) -> Iterator[Finding]:
    for number, rule in enumerate(recipe.rules):
        for slot, words in rule.when.items():
            for index, word in enumerate(words):
                if told := OneOf(slot).problem(word):
                    listed = (index,) if len(words) > 1 else ()
                    yield Finding(("rules", number, "when", slot, *listed), told)
        for slot, shares in rule.then.items():
            for word in shares or {}:
                if told := OneOf(slot).problem(word):
                    written = (word,) if len(shares or ()) > 1 else ()
                    yield Finding(("rules", number, "then", slot, *written), told, of_key=bool(written))


def _unseen(recipe: Recipe) -> Iterator[Finding]:
    """Rules for a pattern that is read off the finger, which is later than the words are drawn."""
    for number, rule in enumerate(recipe.rules if recipe.finger.read_later else ()):
        if "pattern" in rule.when:
            text = "the class of fingers that are rebuilt or laid out is seen on the finger: no rule can ask for it"
            yield Finding(("rules", number, "when", "pattern"), text)


def _unsettable(recipe: Recipe) -> Iterator[Finding]:
    """The pattern in `then`, and slots left open that the recipe could not leave open itself."""
    for number, rule in enumerate(recipe.rules):
        for slot, shares in rule.then.items():
            loc: Loc = ("rules", number, "then", slot)
            if SLOTS[slot].draw is None:
                yield Finding(loc, "belongs to the identity: it may stand in `when`, not in `then`")
            elif shares is None and not _may_be_open(recipe, slot):
                yield Finding(loc, "cannot be left open")
            elif shares is None and slot == "sensor" and recipe.sampling.virtual:
                yield Finding(loc, "a virtual render needs a sensor")


def _may_be_open(recipe: Recipe, slot: str) -> bool:
    fields = type(getattr(recipe, SLOTS[slot].part)).model_fields
    return NoneType in get_args(fields[slot].annotation)


def _circle(recipe: Recipe) -> Iterator[Finding]:
    """Slots that decide each other, told at the last rule of the circle."""
    try:
        order(recipe.rules)
    except CycleError as error:
        circle: list[str] = error.args[1]
        places = [_deciding(recipe.rules, before, after) for before, after in pairwise(circle)]
        number, slot = max(place for place in places if place is not None)
        text = f"slots decide each other: {' -> '.join(circle)}"
        yield Finding(("rules", number, "then", slot), text)


def _deciding(rules: tuple[Rule, ...], before: str, after: str) -> tuple[int, str] | None:
    """The first rule by which one slot decides another; None where the table of slots says so."""
    found = (number for number, rule in enumerate(rules) if before in rule.when and after in rule.then)
    return next(((number, after) for number in found), None)


def _doubled(recipe: Recipe) -> Iterator[Finding]:
    """A slot that two rules with the same `when` set."""
    first: dict[tuple[object, str], int] = {}
    for number, rule in enumerate(recipe.rules):
        condition = frozenset((slot, frozenset(words)) for slot, words in rule.when.items())
        for slot in rule.then:
            before = first.setdefault((condition, slot), number)
            if before != number:
                text, other = "contradicts another rule with the same `when`", ("rules", before, "then", slot)
                yield Finding(("rules", number, "then", slot), text, against=other)


def _unsayable(recipe: Recipe) -> Iterator[Finding]:
    """Words that none of the sensors that a rule is for can have."""
    for number, rule in enumerate(recipe.rules):
        sensors = _sensors(rule)
        for name, shares in rule.then.items() if sensors else ():
            for word in asked(shares):
                if not any(SLOTS[name].allowed(word, sensor) for sensor in sensors):
                    meant = " and ".join(sensor or "no sensor" for sensor in sensors)
                    text = f"{word} is said of {having(name, word)} prints alone, and the rule is for {meant}"
                    yield Finding(("rules", number, "then", name), text)


def _sensors(rule: Rule) -> list[str | None]:
    """The sensors of the rows that a rule holds for; empty: it does not say."""
    if "sensor" in rule.then:
        return [*asked(rule.then["sensor"])] or [None]
    return [*rule.when.get("sensor", ())]


def having(slot: str, word: str) -> str:
    """The sensors whose prints can have a word."""
    return " or ".join(sensor for sensor, words in SLOTS[slot].only.items() if word in words)


def _idle(want: Wanted) -> Iterator[Finding]:
    """Rules that hold for no row, and rules that later ones always win against."""
    slots = tuple(dict.fromkeys(slot for rule in want.rules for slot in rule.when))
    possible = [dict(zip(slots, words, strict=True)) for words, chance in joint(want, slots).items() if chance > 0]
    for number, rule in enumerate(want.rules):
        held = [said for said in possible if holds(rule, said)]
        if not held:
            yield _never(possible, number, rule)
        for slot in rule.then if held else ():
            later = [other for other in want.rules[number + 1 :] if slot in other.then]
            if all(any(holds(other, said) for other in later) for said in held):
                text = "later rules win wherever this one holds: it has no effect"
                yield Finding(("rules", number, "then", slot), text, fatal=False)


def _never(possible: Sequence[Words], number: int, rule: Rule) -> Finding:
    """Which of the `when` words never come up, or that they never do so together."""
    for slot, words in rule.when.items():
        if not any(said[slot] in words for said in possible):
            text = f"{' or '.join(words)} never comes up: the rule has no effect"
            return Finding(("rules", number, "when", slot), text, fatal=False)
    return Finding(("rules", number, "when"), "never come up together: the rule has no effect", fatal=False)


def _clashing(want: Wanted) -> Iterator[Finding]:
    """Words of the table of clashes that some rows say together, told at the key of the clash's first slot."""
    for clash in CLASHES:
        slots = tuple(clash.words)
        states = joint(want, slots).items()
        met = {state: p for state, p in states if p > 0 and clash.met(dict(zip(slots, state, strict=True)))}
        share = sum(met.values())
        if share > LEAST:
            said = zip(slots, zip(*met, strict=True), strict=True)
            told = " with ".join(f"{slot} {'/'.join(dict.fromkeys(map(str, words)))}" for slot, words in said)
            text = f"{100 * share:.3g} % of the images say {told}: {clash.why}"
            yield Finding((SLOTS[slots[0]].part, slots[0]), text, fatal=False)
