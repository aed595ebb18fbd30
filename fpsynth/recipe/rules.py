"""Rules between slots: which shares a slot's draw is applied to, given the words of the row.

Every slot of an impression has a uniform draw of its own, whatever the rules. A slot is decided after the slots that
decide it: those in the `when` of the rules that set it, and the sensor where the sensor limits its words. Its shares
are those of the last rule that sets it and whose `when` slots all say one of the given words; without one, the
recipe's. So a row that no rule holds for is the row of the same recipe without rules, and given the words of the
`when` slots the shares of a rule are exactly the chances of its words.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from fpsynth.recipe.schema import Recipe, Rule, shares_of
from fpsynth.slots import SLOTS, Words

Open = Mapping[str, float] | None
"""Shares of words; None: the slot is left open."""
Joint = dict[tuple[str | None, ...], float]
"""Words of some slots -> how likely a row says them."""


@dataclass(frozen=True)
class Wanted:
    """What a recipe wants said: the shares of every slot, the pattern's too, and the rules between them."""

    shares: Mapping[str, Open]
    rules: Sequence[Rule] = ()


def wanted(recipe: Recipe, pattern: Mapping[str, float]) -> Wanted:
    """Of a recipe whose identities have these shares of pattern classes."""
    return Wanted({slot: shares_of(recipe, slot) for slot in SLOTS} | {"pattern": pattern}, recipe.rules)


def deciders(slot: str, rules: Iterable[Rule]) -> tuple[str, ...]:
    """The slots that must be decided before this one."""
    limiting = ["sensor"] if SLOTS[slot].only else []
    return tuple(dict.fromkeys([*limiting, *(name for rule in rules if slot in rule.then for name in rule.when)]))


def order(rules: Sequence[Rule]) -> list[str]:
    """All slots, each after its deciders. Raises graphlib.CycleError where slots decide each other."""
    if not rules:
        return sorted(SLOTS, key=lambda name: bool(SLOTS[name].only))
    return list(TopologicalSorter({name: deciders(name, rules) for name in SLOTS}).static_order())


def holds(rule: Rule, said: Words) -> bool:
    """Whether all `when` slots say one of the rule's words."""
    return all(said[slot] in words for slot, words in rule.when.items())


def ruled(shares: Open, rules: Sequence[Rule], slot: str, said: Words) -> Open:
    """The shares of a slot in a row whose deciders are said: the last rule's that holds, or else these."""
    for rule in reversed(rules):
        if slot in rule.then and holds(rule, said):
            return rule.then[slot]
    return shares


def joint(want: Wanted, keep: Sequence[str]) -> Joint:
    """The exact distribution of the words of some slots over the rows, by going through all that they depend on.

    Slots are taken in their order; what nothing later depends on is summed out.
    """
    chain = [slot for slot in order(want.rules) if slot in _behind(want.rules, keep)]
    names: tuple[str, ...] = ()
    states: Joint = {(): 1.0}
    for done, slot in enumerate(chain, 1):
        needed = {*keep, *(name for later in chain[done:] for name in deciders(later, want.rules))}
        grown = (*names, slot)
        states = _summed(_grown(want, names, states, slot), [i for i, name in enumerate(grown) if name in needed])
        names = tuple(name for name in grown if name in needed)
    return _summed(states, [names.index(slot) for slot in keep])


def _behind(rules: Sequence[Rule], keep: Iterable[str]) -> set[str]:
    """These slots and all that decide them."""
    found, waiting = set[str](), list(keep)
    while waiting:
        slot = waiting.pop()
        if slot not in found:
            found.add(slot)
            waiting.extend(deciders(slot, rules))
    return found


def _grown(want: Wanted, names: Sequence[str], states: Joint, slot: str) -> Joint:
    """With the word of one more slot."""
    grown: defaultdict[tuple[str | None, ...], float] = defaultdict(float)
    for state, chance in states.items():
        said = dict(zip(names, state, strict=True))
        shares = ruled(want.shares[slot], want.rules, slot, said)
        for word, share in [(None, 1.0)] if shares is None else shares.items():
            grown[(*state, SLOTS[slot].allowed(word, said.get("sensor")))] += chance * share
    return grown


def _summed(states: Joint, kept: Sequence[int]) -> Joint:
    summed: defaultdict[tuple[str | None, ...], float] = defaultdict(float)
    for state, chance in states.items():
        summed[tuple(state[i] for i in kept)] += chance
    return dict(summed)
